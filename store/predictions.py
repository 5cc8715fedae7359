"""Predictions: each example of an evaluation set as one run answered it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from store.connection import Store
from store.texts import storable, storable_json


@dataclass(frozen=True)
class Prediction:
    """One answer to `input`, field → value. `output` is the task's whole answer; `score` that of `pred`."""

    run_id: int
    step: int
    set_id: str
    idx: int
    input: dict[str, Any]
    gold: str | None
    pred: str
    score: float | None
    loss: float | None
    correct: bool | None
    output: dict[str, Any]


def add_examples(connection: sqlite3.Connection, set_id: str, rows: Sequence[tuple[int, str, str | None]]) -> None:
    """Store the examples (index, fields as JSON, gold) of an evaluation set once; a set is named by its content."""
    storables = [(set_id, index, storable_json(fields), storable(gold)) for index, fields, gold in rows]
    connection.executemany("INSERT OR IGNORE INTO eval_example VALUES(?,?,?,?)", storables)


def replace(
    connection: sqlite3.Connection,
    run_id: int,
    step: int,
    set_id: str,
    rows: Sequence[tuple[int, str, float | None, float | None, bool | None, dict[str, Any]]],
) -> None:
    """Put the predictions of a run at `step` in the place of its earlier ones on the same set.

    Rows are (index, pred, score, loss, correct, output).
    """
    connection.execute("DELETE FROM prediction WHERE run_id=? AND set_id=?", (run_id, set_id))
    connection.executemany(
        "INSERT INTO prediction VALUES(?,?,?,?,?,?,?,?,?)",
        [
            (run_id, step, set_id, *map(storable, row[:5]), storable_json(json.dumps(row[5], ensure_ascii=False)))
            for row in rows
        ],
    )


def example_count(store: Store, set_id: str) -> int | None:
    """Return how many examples an evaluation set has, None where it is not known."""
    row = store.first("SELECT count(*) FROM eval_example WHERE set_id=?", (set_id,))
    return (row[0] or None) if row else None


def listing(
    store: Store, run_id: int, *, wrong: bool = False, limit: int = -1, by_loss: bool = False
) -> list[Prediction]:
    """Return the predictions of a run in the set's order (or largest loss first); the wrong ones alone if asked."""
    where = "AND correct=0" if wrong else ""
    order = "loss DESC" if by_loss else "p.idx"
    rows = store.query(
        f"""SELECT run_id, step, p.set_id, p.idx, input, gold, pred, score, loss, correct, output FROM prediction p
            JOIN eval_example e ON e.set_id=p.set_id AND e.idx=p.idx
            WHERE run_id=? {where} ORDER BY {order} LIMIT ?""",
        (run_id, limit),
    )
    columns = [field.name for field in fields(Prediction)]
    decoded = [
        {
            **dict(zip(columns, row, strict=True)),
            "correct": _truth(row["correct"]),
            "input": json.loads(row["input"]),
            "output": json.loads(row["output"]),
        }
        for row in rows
    ]
    return [Prediction(**values) for values in decoded]


def _truth(value: int | None) -> bool | None:
    return None if value is None else bool(value)


def count(store: Store, run_id: int) -> int:
    """Return how many predictions a run has."""
    row = store.first("SELECT count(*) FROM prediction WHERE run_id=?", (run_id,))
    return row[0] if row else 0


def correctness(store: Store, run_id: int, set_id: str) -> dict[int, bool]:
    """Return example → whether the run answered it rightly, of those that were judged."""
    rows = store.query(
        "SELECT idx, correct FROM prediction WHERE run_id=? AND set_id=? AND correct IS NOT NULL", (run_id, set_id)
    )
    return {row["idx"]: bool(row["correct"]) for row in rows}


def random_example(store: Store, set_id: str) -> tuple[dict[str, Any], str | None] | None:
    """Return the fields and the right answer of any example of an evaluation set, or None where it has none."""
    row = store.first("SELECT input, gold FROM eval_example WHERE set_id=? ORDER BY random() LIMIT 1", (set_id,))
    return (json.loads(row["input"]), row["gold"]) if row else None


def fields_of(store: Store, set_id: str | None) -> list[str]:
    """Return the names of the fields that the examples of an evaluation set are asked with; none where it is new.

    The first hundred examples tell: one that can be left out may be missing in some.
    """
    rows = store.query("SELECT input FROM eval_example WHERE set_id=? ORDER BY idx LIMIT 100", (set_id,))
    return list(dict.fromkeys(name for row in rows for name in json.loads(row["input"])))
