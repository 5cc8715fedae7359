"""Events: what a run did and when, in words, and the samples of the box it ran on."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from store.connection import Store
from store.texts import storable


@dataclass(frozen=True)
class Event:
    id: int
    run_id: int
    ts: float
    step: int
    kind: str
    level: str
    text: str
    data: dict[str, Any]


def append(connection: sqlite3.Connection, run_id: int, rows: Sequence[tuple[float, int, str, str, str, Any]]) -> None:
    """Write events (time, step, kind, level, text, data) inside a write transaction."""
    connection.executemany(
        "INSERT INTO event(run_id, ts, step, kind, level, text, data) VALUES(?,?,?,?,?,?,?)",
        [(run_id, *map(storable, row[:5]), json.dumps(row[5]) if row[5] else None) for row in rows],
    )


def listing(store: Store, run_id: int, *, after: int = 0, kind: str = "", limit: int = -1) -> list[Event]:
    """Return the newest `limit` events of a run with a number above `after`, oldest first."""
    where, parameters = ("AND kind=?", (run_id, after, kind)) if kind else ("", (run_id, after))
    rows = store.query(
        f"""SELECT id, run_id, ts, step, kind, level, text, data FROM event WHERE run_id=? AND id>? {where}
            ORDER BY id DESC LIMIT ?""",
        (*parameters, limit),
    )
    return [Event(**{**dict(row), "data": json.loads(row["data"]) if row["data"] else {}}) for row in reversed(rows)]


def append_system(
    connection: sqlite3.Connection, run_id: int, ts: float, sample: Mapping[str, float], known: dict[str, int]
) -> None:
    """Write one sample of GPUs and host (key → value) inside a write transaction."""
    for name in sample:
        if name not in known:
            connection.execute("INSERT OR IGNORE INTO sys_key(name) VALUES(?)", (name,))
            known[name] = connection.execute("SELECT id FROM sys_key WHERE name=?", (name,)).fetchone()[0]
    connection.executemany(
        "INSERT OR REPLACE INTO sys_point VALUES(?,?,?,?,?,?)",
        [(run_id, ts, known[name], value, value, value) for name, value in sample.items()],
    )


def last_system(store: Store, run_id: int, n: int = 1) -> list[dict[str, float]]:
    """Return the newest `n` samples, oldest first, each key → value with `ts` among them."""
    rows = store.query(
        """SELECT ts, name, mean FROM sys_point JOIN sys_key ON sys_key.id=key_id WHERE run_id=? AND ts IN
            (SELECT DISTINCT ts FROM sys_point WHERE run_id=? ORDER BY ts DESC LIMIT ?) ORDER BY ts""",
        (run_id, run_id, n),
    )
    samples: dict[float, dict[str, float]] = {}
    for ts, name, value in rows:
        samples.setdefault(ts, {"ts": ts})[name] = value
    return list(samples.values())
