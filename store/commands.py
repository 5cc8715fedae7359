"""Commands to a worker: a row each, answered with the step at which it was accepted and done."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass

from store.connection import Store


@dataclass(frozen=True)
class Command:
    id: int
    run_id: int
    attempt: int
    verb: str
    asked: float
    accepted_step: int | None
    done_step: int | None
    answer: str | None


def ask(store: Store, run_id: int, attempt: int, verb: str) -> int:
    """Ask the worker of this attempt to do `verb` (stop); return the command's number."""
    with store.write() as connection:
        cursor = connection.execute(
            "INSERT INTO command(run_id, attempt, verb, asked) VALUES(?,?,?,?)", (run_id, attempt, verb, time.time())
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid


def waiting(store: Store, run_id: int, attempt: int) -> list[Command]:
    """Return the commands of this attempt that nobody has accepted yet, oldest first."""
    rows = store.query(
        "SELECT * FROM command WHERE run_id=? AND attempt=? AND accepted_step IS NULL ORDER BY id", (run_id, attempt)
    )
    return [Command(**dict(row)) for row in rows]


def accept(connection: sqlite3.Connection, command_id: int, step: int) -> None:
    """Record at which step the worker saw the command."""
    connection.execute("UPDATE command SET accepted_step=? WHERE id=?", (step, command_id))


def finish(connection: sqlite3.Connection, command_id: int, step: int, answer: str) -> None:
    """Record at which step the command was done, and how."""
    connection.execute("UPDATE command SET done_step=?, answer=? WHERE id=?", (step, answer, command_id))


def get(store: Store, command_id: int) -> Command | None:
    """Return one command."""
    row = store.first("SELECT * FROM command WHERE id=?", (command_id,))
    return Command(**dict(row)) if row else None
