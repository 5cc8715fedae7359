"""The earlier run that is most like a recipe, so that a plan can say what is new in it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from store import runs
from store.connection import Store
from store.runs import Run
from workbench.insight.settings import Setting, decides
from workbench.recipe import Recipe

LOOKED_AT = 200
"""How many of the newest runs are considered."""


@dataclass(frozen=True)
class Nearest:
    """An earlier run and the settings that differ; each setting's values are (the run's, the recipe's)."""

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
        return tuple(Setting(path, (_open(old), _open(new))) for path, old, new in pairs if old != new)

    found = [(run, differences(run)) for run in recent]
    run, apart = min(found, key=lambda pair: (sum(decides(row.path) for row in pair[1]), len(pair[1]), -pair[0].id))
    return Nearest(run, apart)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _open(text: str) -> str | None:
    return None if text == "null" else text
