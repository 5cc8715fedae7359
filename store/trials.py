"""Trials: prompts a person tried, and what each model answered."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from store.connection import Store


@dataclass(frozen=True)
class Trial:
    """One prompt; `answers` maps run → (output, milliseconds)."""

    id: int
    ts: float
    task: str
    prompt: str
    gold: str | None
    kept: bool
    answers: dict[int, tuple[dict[str, Any], float]]


def add(store: Store, task: str, prompt: str, answers: Mapping[int, tuple[dict[str, Any], float]]) -> int:
    """Store a prompt and its answers (run → output, milliseconds); return the trial's number."""
    with store.write() as connection:
        cursor = connection.execute(
            "INSERT INTO trial(ts, task, prompt, params) VALUES(?,?,?,'{}')", (time.time(), task, prompt)
        )
        trial_id = cursor.lastrowid
        assert trial_id is not None
        connection.executemany(
            "INSERT INTO answer VALUES(?,?,?,?)",
            [(trial_id, run, json.dumps(output, ensure_ascii=False), ms) for run, (output, ms) in answers.items()],
        )
    return trial_id


def mark(store: Store, trial_id: int, *, gold: str | None = None, kept: bool | None = None) -> None:
    """Set the right answer of a trial, or whether it is kept."""
    with store.write() as connection:
        if gold is not None:
            connection.execute("UPDATE trial SET gold=? WHERE id=?", (gold or None, trial_id))
        if kept is not None:
            connection.execute("UPDATE trial SET kept=? WHERE id=?", (kept, trial_id))


def listing(store: Store, *, limit: int = 200) -> list[Trial]:
    """Return the newest trials, newest first."""
    found: dict[int, Trial] = {}
    for row in store.query("SELECT * FROM trial ORDER BY id DESC LIMIT ?", (limit,)):
        found[row["id"]] = Trial(row["id"], row["ts"], row["task"], row["prompt"], row["gold"], bool(row["kept"]), {})
    if found:
        for row in store.query("SELECT * FROM answer WHERE trial_id>=?", (min(found),)):
            if row["trial_id"] in found:
                found[row["trial_id"]].answers[row["run_id"]] = (json.loads(row["output"]), row["ms"])
    return list(found.values())
