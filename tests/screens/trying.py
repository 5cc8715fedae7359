"""What the store keeps of Try."""

from __future__ import annotations

from store import trials
from store.connection import read_store
from workbench.paths import Home


def stored(home: Home) -> list[trials.Trial]:
    """Return the trials, newest first."""
    with read_store(home.store) as store:
        return trials.listing(store)
