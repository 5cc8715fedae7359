"""What a store knows of its runs, free of the numbers that mean nothing: two stores that know the same are equal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from store.connection import Store, read_store

METRICS = ("point", "summary", "curve")
PLAIN = ("config", "checkpoint", "prediction")


def dump(path: Path) -> dict[str, list[Any]]:
    """Return table → rows."""
    with read_store(path) as store:
        found = {"run": rows(store, "SELECT * FROM run ORDER BY id")}
        for table in METRICS:
            sql = f"SELECT m.name, t.* FROM {table} t JOIN metric m ON m.id=t.metric_id"
            found[table] = sorted(without(row, "metric_id") for row in rows(store, sql))
        for table in PLAIN:
            found[table] = sorted(rows(store, f"SELECT * FROM {table}"), key=repr)
        sql = "SELECT run_id, ts, step, kind, level, text, data FROM event ORDER BY run_id, id"
        found["event"] = rows(store, sql)
        found["eval_example"] = rows(store, "SELECT * FROM eval_example ORDER BY set_id, idx")
        return found


def rows(store: Store, sql: str) -> list[Any]:
    return [tuple(dict(row).items()) for row in store.query(sql)]


def without(row: Any, column: str) -> Any:
    return tuple(pair for pair in row if pair[0] != column)


def differing(one: dict[str, list[Any]], other: dict[str, list[Any]]) -> list[str]:
    """Return in words where two dumps differ."""
    found = []
    for table in one:
        pairs = list(zip(one[table], other[table], strict=False))
        found += [f"{table}: {set(a) ^ set(b)}" for a, b in pairs if a != b][:3]
        if len(one[table]) != len(other[table]):
            found.append(f"{table}: {len(one[table])} rows, {len(other[table])} rows")
    return found
