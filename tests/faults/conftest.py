"""The home of supervision's tests, for faults as well: a real store, one slot, a worker that trains nothing."""

from __future__ import annotations

from tests.workbench.supervision.conftest import empty_store, home

__all__ = ["empty_store", "home"]
