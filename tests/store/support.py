"""What the tests of the store share."""

from __future__ import annotations

import itertools
from typing import Any

from store import runs
from store.connection import Store
from store.runs import Run

_numbers = itertools.count()


def add_run(store: Store, name: str = "a run", **columns: Any) -> int:
    """Add a run with the columns that must be there; `columns` are laid over them."""
    values: dict[str, Any] = {
        "uid": f"UID{next(_numbers)}",
        "name": name,
        "task": "sentiment",
        "backbone": "size:tiny",
        "strategy": "full",
        "dataset": "toy",
        "state": "queued",
        "seed": 1,
        "recipe_hash": "0",
        "recipe": "",
    }
    return runs.create(store, {"seed": 1, "hardware.device": "auto"}, **(values | columns))


def get(store: Store, run_id: int) -> Run:
    found = runs.get(store, run_id)
    assert found is not None
    return found
