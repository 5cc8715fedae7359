"""The earlier run that is most like a recipe or a run, so that one can say what is new in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from store import runs
from store.connection import Store
from store.runs import Run
from workbench.insight.settings import Setting, decides, differing_in, given, settings_of

if TYPE_CHECKING:
    from workbench.recipe import Recipe

LOOKED_AT = 200
"""How many of the newest runs are considered."""


@dataclass(frozen=True)
class Nearest:
    """An earlier run and the settings that differ; each setting's values are (the earlier run's, the other's)."""

    run: Run
    differences: tuple[Setting, ...]


def nearest_run(store: Store, recipe: Recipe) -> Nearest | None:
    """Return the run with the fewest differing settings, of equals the newest; None where there is no run.

    Settings that decide nothing about the result (checkpoints, hardware) part equals, and are not counted.
    """
    recent = [run for run in runs.listing(store, limit=LOOKED_AT) if run.task == recipe.task.name]
    if not recent:
        return None
    table = runs.config(store, [run.id for run in recent])
    mine = {path: _text(value) for path, value in recipe.flat().items()}
    paths = [*mine, *(path for path in table if path not in mine and path != "name")]

    def differences(run: Run) -> tuple[Setting, ...]:
        pairs = ((path, table.get(path, {}).get(run.id, "null"), mine.get(path, "null")) for path in paths)
        return tuple(Setting(path, (given(old), given(new))) for path, old, new in pairs if old != new)

    found = [(run, differences(run)) for run in recent]
    run, apart = min(found, key=lambda pair: (sum(decides(row.path) for row in pair[1]), len(pair[1]), -pair[0].id))
    return Nearest(run, apart)


def nearest_earlier(store: Store, run: Run, known: Mapping[int, Run]) -> Nearest | None:
    """Return the run that `run` came from, else the earlier one of its task and data that differs in the least.

    `known` holds the runs by number, newest first; of equals the newest is taken. What goes with another strategy or
    backbone counts once, as the choice itself. None where there is no such run.
    """
    like = [one for one in known.values() if one.id < run.id and (one.task, one.dataset) == (run.task, run.dataset)]
    parent = known.get(run.parent_id) if run.parent_id is not None else None
    candidates = [parent] if parent else like[:LOOKED_AT]
    if not candidates:
        return None
    numbers = [*(one.id for one in candidates), run.id]
    settings = settings_of(runs.config(store, numbers), numbers)
    found = [_apart(one, settings, position) for position, one in enumerate(candidates)]
    return min(found, key=lambda near: (sum(decides(row.path) for row in near.differences), len(near.differences)))


def _apart(run: Run, settings: tuple[Setting, ...], position: int) -> Nearest:
    """Return how the run at `position` differs from the last one."""
    rest = [row for row in settings if not decides(row.path) and row.values[position] != row.values[-1]]
    rows = [*differing_in(settings, position, -1), *rest]
    return Nearest(run, tuple(Setting(row.path, (row.values[position], row.values[-1])) for row in rows))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
