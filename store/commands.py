"""Commands to a worker: a row each, answered with the step at which it was accepted and done."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass

from store.connection import Store


@dataclass(frozen=True)
class Command:
    """Steps are updates done. `done_step` is None where it is not done; `answer` may say why it is not."""

    id: int
    run_id: int
    attempt: int
    verb: str
    asked: float
    accepted_step: int | None
    done_step: int | None
    answer: str | None


def ask(store: Store, run_id: int, attempt: int, verb: str) -> int:
    """Ask the worker of this attempt to do `verb` (stop, pause, checkpoint, evaluate); return the command's number."""
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
    """Record at which step the command was done, and how; what was said of it first stays."""
    connection.execute(
        """UPDATE command SET accepted_step=min(coalesce(accepted_step, ?1), ?1), done_step=?1, answer=?2
            WHERE id=?3 AND done_step IS NULL""",
        (step, answer, command_id),
    )


def leave(connection: sqlite3.Connection, run_id: int, attempt: int, answer: str) -> None:
    """Record why the commands of an attempt that ends were not done."""
    connection.execute(
        "UPDATE command SET answer=? WHERE run_id=? AND attempt=? AND done_step IS NULL", (answer, run_id, attempt)
    )


def get(store: Store, command_id: int) -> Command | None:
    """Return one command."""
    row = store.first("SELECT * FROM command WHERE id=?", (command_id,))
    return Command(**dict(row)) if row else None
