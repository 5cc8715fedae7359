"""The earlier run that is most like a run, and what differs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from store import runs
from store.connection import Store
from store.runs import Run

LOOKED_AT = 40


@dataclass(frozen=True)
class Nearest:
    """`differs` is setting → (there, here), as the recipes have them; None where a recipe has no such setting."""

    run_id: int
    differs: dict[str, tuple[str | None, str | None]]


def find_nearest(store: Store, run: Run, known: Mapping[int, Run]) -> Nearest | None:
    """Return the one of the 40 newest earlier runs of this task and data that differs in the fewest settings.

    `known` is newest first; of equals the newest is taken, and the run that this one came from before all.
    """
    like = [one.id for one in known.values() if one.id < run.id and (one.task, one.dataset) == (run.task, run.dataset)]
    candidates = [run.parent_id] if run.parent_id in known else like[:LOOKED_AT]
    if not candidates:
        return None
    table = runs.config(store, [run.id, *(number for number in candidates if number is not None)])
    found = [
        Nearest(
            number,
            {
                path: (texts.get(number), texts.get(run.id))
                for path, texts in table.items()
                if texts.get(number) != texts.get(run.id)
            },
        )
        for number in candidates
        if number is not None
    ]
    return min(found, key=lambda nearest: len(nearest.differs))
