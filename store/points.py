"""Points: the numbers a run logged, their summaries, and the packed curves of ended runs."""

from __future__ import annotations

import math
import sqlite3
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from store.connection import Store

Point = tuple[str, int, float, float]
"""Metric name, step, seconds since the epoch, value (NaN allowed; stored as NULL)."""

_UPSERT = """INSERT INTO summary VALUES(?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT(run_id, metric_id) DO UPDATE SET
    last=excluded.last, last_step=excluded.last_step,
    min_step=CASE WHEN min IS NULL OR excluded.min < min THEN excluded.min_step ELSE min_step END,
    min=CASE WHEN min IS NULL OR excluded.min < min THEN excluded.min ELSE min END,
    max_step=CASE WHEN max IS NULL OR excluded.max > max THEN excluded.max_step ELSE max_step END,
    max=CASE WHEN max IS NULL OR excluded.max > max THEN excluded.max ELSE max END,
    mean=CASE WHEN n=n_nan THEN excluded.mean WHEN excluded.n=excluded.n_nan THEN mean ELSE
        (mean*(n-n_nan) + excluded.mean*(excluded.n-excluded.n_nan)) / (n+excluded.n-n_nan-excluded.n_nan) END,
    n=n+excluded.n, n_nan=n_nan+excluded.n_nan"""

_SUMMARISE = """INSERT INTO summary
    SELECT run_id, metric_id,
        (SELECT value FROM point q WHERE q.run_id=p.run_id AND q.metric_id=p.metric_id ORDER BY step DESC LIMIT 1),
        max(step), min(value),
        (SELECT step FROM point q WHERE q.run_id=p.run_id AND q.metric_id=p.metric_id AND value IS NOT NULL
            ORDER BY value, step LIMIT 1),
        max(value),
        (SELECT step FROM point q WHERE q.run_id=p.run_id AND q.metric_id=p.metric_id AND value IS NOT NULL
            ORDER BY value DESC, step LIMIT 1),
        avg(value), count(*), count(*)-count(value)
    FROM point p WHERE run_id=? GROUP BY run_id, metric_id"""


@dataclass(frozen=True)
class Summary:
    """One metric of one run; `None` where every value was NaN."""

    last: float | None
    last_step: int
    min: float | None
    min_step: int | None
    max: float | None
    max_step: int | None
    mean: float | None
    n: int
    n_nan: int


def metric_ids(connection: sqlite3.Connection, names: Iterable[str], known: dict[str, int]) -> dict[str, int]:
    """Return `known` with a number for each of `names`; call it inside a write transaction."""
    for name in names:
        if name not in known:
            connection.execute("INSERT OR IGNORE INTO metric(name) VALUES(?)", (name,))
            known[name] = connection.execute("SELECT id FROM metric WHERE name=?", (name,)).fetchone()[0]
    return known


def append(connection: sqlite3.Connection, run_id: int, points: Sequence[Point], known: dict[str, int]) -> None:
    """Write points and bring the summaries up to date; call it inside a write transaction.

    A point of a step that is there already takes its place. `known` caches metric numbers between calls.
    """
    ids = metric_ids(connection, {name for name, *_ in points}, known)
    rows = [(run_id, ids[name], step, ts, None if value != value else value) for name, step, ts, value in points]
    connection.executemany("INSERT OR REPLACE INTO point VALUES(?,?,?,?,?)", rows)
    connection.executemany(_UPSERT, _partial_summaries(rows))


def _partial_summaries(rows: Sequence[tuple[int, int, int, float, float | None]]) -> list[tuple[object, ...]]:
    by_metric: dict[int, list[tuple[int, float | None]]] = {}
    for _, metric, step, _, value in rows:
        by_metric.setdefault(metric, []).append((step, value))
    partial: list[tuple[object, ...]] = []
    for metric, pairs in by_metric.items():
        finite = [(value, step) for step, value in pairs if value is not None]
        low = min(finite, default=(None, None))
        high = max(finite, key=lambda pair: pair[0], default=(None, None))
        # Not fsum: it raises where infinities of both signs meet, and that would keep the whole batch from the store.
        mean = sum(value for value, _ in finite) / len(finite) if finite else None
        last_step, last = pairs[-1]
        partial.append((rows[0][0], metric, last, last_step, *low, *high, mean, len(pairs), len(pairs) - len(finite)))
    return partial


def value_at(connection: sqlite3.Connection, run_id: int, metric: str, step: int) -> float | None:
    """Return the value that is logged for a step, or None where there is none (or it is NaN)."""
    row = connection.execute(
        "SELECT value FROM point WHERE run_id=? AND metric_id=(SELECT id FROM metric WHERE name=?) AND step=?",
        (run_id, metric, step),
    ).fetchone()
    return row[0] if row else None


def summaries(store: Store, run_ids: Sequence[int]) -> dict[int, dict[str, Summary]]:
    """Return run → metric → summary."""
    marks = ", ".join("?" * len(run_ids))
    found: dict[int, dict[str, Summary]] = {run_id: {} for run_id in run_ids}
    for row in store.query(
        f"""SELECT run_id, name, last, last_step, min, min_step, max, max_step, mean, n, n_nan
            FROM summary JOIN metric ON metric.id=metric_id WHERE run_id IN ({marks})""",
        run_ids,
    ):
        found[row[0]][row[1]] = Summary(*row[2:])
    return found


def curve(store: Store, run_id: int, metric: str, after: int = -1) -> tuple[list[int], list[float | None]]:
    """Return the steps and values of one metric logged after step `after`."""
    steps, _, values = series(store, run_id, metric, after)
    return steps, values


def series(
    store: Store, run_id: int, metric: str, after: int = -1
) -> tuple[list[int], list[float], list[float | None]]:
    """Return the steps, times (seconds since the epoch) and values of one metric logged after step `after`."""
    if after < 0:
        packed = store.first(
            "SELECT steps, ts, vals FROM curve JOIN metric ON metric.id=metric_id WHERE run_id=? AND name=?",
            (run_id, metric),
        )
        if packed:
            steps, times, values = array("q", packed["steps"]), array("d", packed["ts"]), array("d", packed["vals"])
            return steps.tolist(), times.tolist(), [None if value != value else value for value in values]
    rows = store.query(
        """SELECT step, ts, value FROM point WHERE run_id=? AND metric_id=(SELECT id FROM metric WHERE name=?)
            AND step>? ORDER BY step""",
        (run_id, metric, after),
    )
    return [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]


def last_values(store: Store, metric: str, run_ids: Sequence[int] = ()) -> dict[int, float | None]:
    """Return run → the newest value of one metric, of every run that logged it or of `run_ids` alone."""
    where = f"AND run_id IN ({', '.join('?' * len(run_ids))})" if run_ids else ""
    sql = f"SELECT run_id, last FROM summary WHERE metric_id=(SELECT id FROM metric WHERE name=?) {where}"
    return {row[0]: row[1] for row in store.query(sql, (metric, *run_ids))}


def at_best(store: Store, metric: str, run_ids: Sequence[int] = ()) -> dict[int, float | None]:
    """Return run → the value of one metric where its best model was saved, of every run or of `run_ids` alone."""
    where = f"AND run.id IN ({', '.join('?' * len(run_ids))})" if run_ids else ""
    sql = f"""SELECT run.id, value FROM run JOIN point ON point.run_id=run.id AND point.step=run.best_step
        AND metric_id=(SELECT id FROM metric WHERE name=?) {where}"""
    return {row[0]: row[1] for row in store.query(sql, (metric, *run_ids))}


def pack(store: Store, run_id: int) -> None:
    """Pack every curve of a run that has ended, and make its summaries anew from the points."""
    with store.write() as connection:
        connection.execute("DELETE FROM summary WHERE run_id=?", (run_id,))
        connection.execute(_SUMMARISE, (run_id,))
        connection.execute("DELETE FROM curve WHERE run_id=?", (run_id,))
        for (metric,) in connection.execute("SELECT metric_id FROM summary WHERE run_id=?", (run_id,)).fetchall():
            rows = connection.execute(
                "SELECT step, ts, value FROM point WHERE run_id=? AND metric_id=? ORDER BY step", (run_id, metric)
            ).fetchall()
            steps = array("q", [row[0] for row in rows])
            times = array("d", [row[1] for row in rows])
            values = array("d", [math.nan if row[2] is None else row[2] for row in rows])
            connection.execute(
                "INSERT INTO curve VALUES(?,?,?,?,?,?)",
                (run_id, metric, len(rows), steps.tobytes(), times.tobytes(), values.tobytes()),
            )


def unpack(store: Store, run_id: int) -> None:
    """Drop the packed curves of a run that goes on; its points are all there."""
    with store.write() as connection:
        connection.execute("DELETE FROM curve WHERE run_id=?", (run_id,))
