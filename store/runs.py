"""Runs: one row each, changed only by compare-and-set on state and attempt."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from store import events, history
from store.connection import Store
from store.texts import storable

ACTIVE = ("starting", "running", "stopping")
OPEN = ("queued", *ACTIVE)
ENDED = ("paused", "finished", "stopped", "failed", "crashed", "lost")
BACKBONE = "backbone"
"""The reason of a queued run that waits for the model of another, and of one that failed for want of it."""
PAUSE = "pause"
"""The reason of a run in `stopping` that will be paused."""


HELD = {"disk_full": "disk full", "folder_gone": "no folder"}
"""Reasons of a running run that waits, holding its memory, and goes on by itself; `error` says what to do."""


@dataclass(frozen=True)
class Run:
    """One recipe carried out. Times are seconds since the epoch; `seconds` is training time over all attempts;
    `journal` is the last entry of the run folder's journal that the store has; `trainable` counts the weights that
    learned at the same time, at most; `reason` says why it ended as it did, what a queued run waits for beside a
    slot, or that a stopping one will be paused; of two that wait, the one of higher `priority` starts first, else the
    older."""

    id: int
    uid: str
    name: str
    task: str
    backbone: str
    strategy: str
    dataset: str
    state: str
    reason: str | None
    error: str | None
    exit_code: int | None
    created: float
    started: float | None
    ended: float | None
    attempt: int
    slot: str | None
    priority: int
    grp: str | None
    parent_id: int | None
    seed: int
    host: str | None
    goal_key: str | None
    best_value: float | None
    best_step: int | None
    step: int
    max_steps: int | None
    epoch: float | None
    trainable: int | None
    parameters: int | None
    seconds: float
    peak_bytes: int | None
    eval_set: str | None
    journal: int
    note: str | None
    recipe_hash: str
    recipe: str
    versions: str | None

    @property
    def active(self) -> bool:
        return self.state in ACTIVE

    @property
    def held(self) -> str:
        """What a running run waits for, in words; nothing where it trains."""
        return HELD.get(self.reason or "", "") if self.state == "running" else ""

    @property
    def waits(self) -> bool:
        """Whether it is queued and waits for the model of another run."""
        return self.state == "queued" and self.reason == BACKBONE

    @property
    def pausing(self) -> bool:
        """Whether it is stopping in order to be paused."""
        return self.state == "stopping" and self.reason == PAUSE


_CHANGED = {field.name for field in fields(Run)} - {"id", "uid"}
_COLUMNS = ", ".join(field.name for field in fields(Run))


def _run(row: sqlite3.Row) -> Run:
    # By position, for all rows are read as _COLUMNS: by name it takes three times as long, and there may be 10 000.
    return Run(*row)


def create(store: Store, config: Mapping[str, Any], **columns: Any) -> int:
    """Add a run with its flattened recipe (`config`: path → value) in one transaction; return its number."""
    columns.setdefault("created", time.time())
    names = ", ".join(columns)
    marks = ", ".join("?" * len(columns))
    with store.write() as connection:
        cursor = connection.execute(f"INSERT INTO run({names}) VALUES({marks})", tuple(columns.values()))
        run_id = cursor.lastrowid
        assert run_id is not None
        connection.executemany(
            "INSERT INTO config(run_id, path, type, text, num) VALUES(?,?,?,?,?)",
            [(run_id, path, *_typed(value)) for path, value in config.items()],
        )
    return run_id


def _typed(value: Any) -> tuple[str, str, float | None]:
    number = float(value) if isinstance(value, (int, float)) else None
    return type(value).__name__, value if isinstance(value, str) else json.dumps(value), number


def get(store: Store, run_id: int) -> Run | None:
    """Return a run by its number."""
    row = store.first(f"SELECT {_COLUMNS} FROM run WHERE id=?", (run_id,))
    return _run(row) if row else None


def find(store: Store, reference: str) -> Run | None:
    """Return a run by number (`31` or `#31`), by uid, or the newest of that name."""
    number = reference.removeprefix("#")
    if number.isascii() and number.isdigit() and len(number) < 19:
        return get(store, int(number))
    row = store.first(
        f"SELECT {_COLUMNS} FROM run WHERE uid=? OR name=? ORDER BY uid=? DESC, id DESC LIMIT 1",
        (reference, reference, reference),
    )
    return _run(row) if row else None


def listing(store: Store, *, states: Sequence[str] = (), limit: int = -1) -> list[Run]:
    """Return runs, newest first, that are not archived; of some states only where `states` names them."""
    where = f"AND state IN ({', '.join('?' * len(states))})" if states else ""
    rows = store.query(
        f"SELECT {_COLUMNS} FROM run WHERE archived=0 {where} ORDER BY id DESC LIMIT ?", (*states, limit)
    )
    return [_run(row) for row in rows]


def of_group(store: Store, grp: str) -> list[Run]:
    """Return the runs of a group, the oldest first."""
    return [_run(row) for row in store.query(f"SELECT {_COLUMNS} FROM run WHERE grp=? ORDER BY id", (grp,))]


def groups_like(store: Store, stem: str) -> set[str]:
    """Return the names of groups that start with `stem`."""
    rows = store.query("SELECT DISTINCT grp FROM run WHERE substr(grp, 1, ?) = ?", (len(stem), stem))
    return {row["grp"] for row in rows}


def groups(store: Store) -> list[str]:
    """Return the names of the groups of runs that are not archived, the newest first."""
    rows = store.query("SELECT grp FROM run WHERE grp IS NOT NULL AND archived=0 GROUP BY grp ORDER BY max(id) DESC")
    return [row["grp"] for row in rows]


def census(store: Store) -> tuple[int, int]:
    """Return how many runs are listed and the highest number among them: what adding or deleting a run changes."""
    row = store.first("SELECT count(*), coalesce(max(id), 0) FROM run WHERE archived=0")
    return (row[0], row[1]) if row else (0, 0)


def names_like(store: Store, stem: str) -> set[str]:
    """Return the names in use that start with `stem`."""
    rows = store.query("SELECT name FROM run WHERE substr(name, 1, ?) = ?", (len(stem), stem))
    return {row["name"] for row in rows}


def move(
    store: Store, run_id: int, state: str, *, since: Sequence[str], attempt: int | None = None, **columns: Any
) -> bool:
    """Set `state` (and other columns) if the run is still in one of the states `since`, and of this `attempt`.

    Return False, having changed nothing, where somebody else was first.
    """
    assignments = ", ".join(f"{name}=?" for name in ("state", *columns))
    marks = ", ".join("?" * len(since))
    sql = f"UPDATE run SET {assignments} WHERE id=? AND state IN ({marks})"
    parameters: list[Any] = [state, *map(storable, columns.values()), run_id, *since]
    if attempt is not None:
        sql += " AND attempt=?"
        parameters.append(attempt)
    with store.write() as connection:
        if connection.execute(sql, parameters).rowcount != 1:
            return False
        _remember(connection, store, run_id, {"state": state, **columns}, since, attempt)
        return True


def apply(connection: sqlite3.Connection, run_id: int, change: history.Change) -> bool:
    """Make a change that stands in the run's folder, unless it came too late; inside a write transaction."""
    columns = {name: value for name, value in change.columns.items() if name in _CHANGED}
    if columns:
        assignments = ", ".join(f"{name}=?" for name in columns)
        where = f"AND state IN ({', '.join('?' * len(change.since))})" if change.since else ""
        sql = f"UPDATE run SET {assignments} WHERE id=? {where} AND attempt=coalesce(?, attempt)"
        if not connection.execute(sql, (*columns.values(), run_id, *change.since, change.attempt)).rowcount:
            return False
    if change.event:
        ts, step, kind, level, text, data = change.event
        events.append(connection, run_id, [(ts, step, kind, level, text, data)])
    return True


def tell(store: Store, run_id: int, row: tuple[float, int, str, str, str, Any]) -> None:
    """Write an event (time, step, kind, level, text, data) that is not the worker's own, and keep it in the folder."""
    with store.write() as connection:
        events.append(connection, run_id, [row])
        _remember(connection, store, run_id, {}, event=row)


def _remember(
    connection: sqlite3.Connection,
    store: Store,
    run_id: int,
    columns: dict[str, Any],
    since: Sequence[str] = (),
    attempt: int | None = None,
    event: Sequence[Any] | None = None,
) -> None:
    """Keep a change in the run's folder too, inside the transaction that makes it."""
    row = connection.execute("SELECT uid, journal, peak_bytes FROM run WHERE id=?", (run_id,)).fetchone()
    if row is None:
        return
    if columns.get("state") in ENDED:
        columns = {"peak_bytes": row["peak_bytes"]} | columns
    change = history.Change(row["journal"], columns, list(since), attempt, list(event) if event else None)
    history.append(history.folder_of(store.path, row["uid"]), change)


def start(store: Store, run_id: int, attempt: int, slot: str) -> bool:
    """Begin an attempt of a queued run in a slot; return False, having changed nothing, where it is not queued."""
    cleared = {"ended": None, "reason": None, "error": None, "exit_code": None}
    columns = {"state": "starting", "attempt": attempt, "slot": slot, **cleared}
    assignments = ", ".join(f"{name}=?" for name in columns)
    with store.write() as connection:
        begun = connection.execute(
            f"""UPDATE run SET {assignments}, started=coalesce(started, ?) WHERE id=? AND state='queued'
                RETURNING started""",
            (*columns.values(), time.time(), run_id),
        ).fetchone()
        if begun is None:
            return False
        _remember(connection, store, run_id, {**columns, "started": begun[0]}, ("queued",))
        return True


def active(store: Store) -> list[Run]:
    """Return the runs that a worker has or is about to have."""
    marks = ", ".join("?" * len(ACTIVE))
    return [_run(row) for row in store.query(f"SELECT {_COLUMNS} FROM run WHERE state IN ({marks})", ACTIVE)]


def waiting(store: Store, devices: Sequence[str], limit: int) -> list[Run]:
    """Return the queued runs that wait for a slot alone and whose `hardware.device` is one of `devices`, next first."""
    marks = ", ".join("?" * len(devices))
    rows = store.query(
        f"""SELECT {_COLUMNS} FROM run WHERE state='queued' AND reason IS NULL AND coalesce((SELECT text FROM config
            WHERE run_id=run.id AND path='hardware.device'), 'auto') IN ({marks})
            ORDER BY priority DESC, id LIMIT ?""",
        (*devices, limit),
    )
    return [_run(row) for row in rows]


def queued(store: Store) -> list[Run]:
    """Return all queued runs in the order in which they start."""
    return in_order(_run(row) for row in store.query(f"SELECT {_COLUMNS} FROM run WHERE state='queued'"))


def in_order(found: Iterable[Run]) -> list[Run]:
    """Return the queued ones of these runs in the order in which they start."""
    return sorted((run for run in found if run.state == "queued"), key=lambda run: (-run.priority, run.id))


def put_in_order(store: Store, run_ids: Sequence[int]) -> None:
    """Let queued runs start in this order, and those that are queued later after them."""
    rows, priority = [(0, run_id) for run_id in run_ids[-1:]], 0
    for run_id, following in zip(reversed(run_ids[:-1]), reversed(run_ids), strict=False):
        priority += run_id > following
        rows.append((priority, run_id))
    with store.write() as connection:
        for priority, run_id in rows:
            cursor = connection.execute(
                "UPDATE run SET priority=? WHERE id=? AND state='queued' AND priority<>?", (priority, run_id, priority)
            )
            if cursor.rowcount:
                _remember(connection, store, run_id, {"priority": priority}, ("queued",))


def waiting_for_backbones(store: Store) -> list[Run]:
    """Return the queued runs that wait for the model of another, the oldest first."""
    rows = store.query(f"SELECT {_COLUMNS} FROM run WHERE state='queued' AND reason=? ORDER BY id", (BACKBONE,))
    return [_run(row) for row in rows]


def begun_with(store: Store, backbone: str) -> list[Run]:
    """Return the runs whose backbone is the model of another and that wait for it, or failed for want of it."""
    rows = store.query(
        f"""SELECT {_COLUMNS} FROM run WHERE state IN ('queued', 'failed') AND reason=? AND id IN
            (SELECT run_id FROM config WHERE path='backbone.name' AND text=?) ORDER BY id""",
        (BACKBONE, backbone),
    )
    return [_run(row) for row in rows]


def set_columns(connection: sqlite3.Connection, run_id: int, **columns: Any) -> None:
    """Set columns of a run that are not its state; call it inside a write transaction."""
    assignments = ", ".join(f"{name}=?" for name in columns)
    connection.execute(f"UPDATE run SET {assignments} WHERE id=?", (*columns.values(), run_id))


def wait_for(connection: sqlite3.Connection, run_id: int, reason: str | None, words: str | None) -> None:
    """Say what a running run waits for and what to do, or None that it goes on; inside a write transaction.

    What it is asked to do meanwhile (stop, pause) has the last word.
    """
    connection.execute("UPDATE run SET reason=?, error=? WHERE id=? AND state='running'", (reason, words, run_id))


def keep_most(connection: sqlite3.Connection, run_id: int, trainable: int) -> None:
    """Set how many weights of a run learn, unless more did before; call it inside a write transaction."""
    connection.execute("UPDATE run SET trainable=max(coalesce(trainable, 0), ?) WHERE id=?", (trainable, run_id))


def delete(store: Store, run_id: int) -> bool:
    """Delete a run and all its rows, unless it is queued or active; children keep living without a parent."""
    with store.write() as connection:
        row = connection.execute("SELECT state FROM run WHERE id=?", (run_id,)).fetchone()
        if row is None or row["state"] in OPEN:
            return False
        connection.execute("UPDATE run SET parent_id=NULL WHERE parent_id=?", (run_id,))
        connection.execute("DELETE FROM run WHERE id=?", (run_id,))
        return True


def config(store: Store, run_ids: Sequence[int]) -> dict[str, dict[int, str]]:
    """Return the flattened recipes: path → run → text."""
    marks = ", ".join("?" * len(run_ids))
    table: dict[str, dict[int, str]] = {}
    for row in store.query(f"SELECT run_id, path, text FROM config WHERE run_id IN ({marks}) ORDER BY path", run_ids):
        table.setdefault(row["path"], {})[row["run_id"]] = row["text"]
    return table
