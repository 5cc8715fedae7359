"""Checkpoints and published models that a run has on disk."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from store.connection import Store


@dataclass(frozen=True)
class Checkpoint:
    """`kind` is `state` (all that resuming needs) or `model` (what transformers loads); `path` within the run."""

    run_id: int
    kind: str
    step: int
    path: str
    bytes: int
    sha256: str


def add(connection: sqlite3.Connection, checkpoint: Checkpoint) -> None:
    """Record a checkpoint that is on disk."""
    values = (checkpoint.run_id, checkpoint.kind, checkpoint.step, checkpoint.path, checkpoint.bytes, checkpoint.sha256)
    connection.execute("INSERT OR REPLACE INTO checkpoint VALUES(?,?,?,?,?,?)", values)


def keep(connection: sqlite3.Connection, run_id: int, kind: str, steps: list[int]) -> None:
    """Forget the checkpoints of a kind that were pruned: all but those of `steps`."""
    marks = ", ".join("?" * len(steps))
    connection.execute(
        f"DELETE FROM checkpoint WHERE run_id=? AND kind=? AND step NOT IN ({marks})", (run_id, kind, *steps)
    )


def listing(store: Store, run_id: int) -> list[Checkpoint]:
    """Return the checkpoints of a run, oldest first."""
    rows = store.query("SELECT * FROM checkpoint WHERE run_id=? ORDER BY step, kind", (run_id,))
    return [Checkpoint(**dict(row)) for row in rows]
