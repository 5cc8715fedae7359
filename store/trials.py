"""Trials: prompts a person tried, and what each model answered."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from store.connection import Store
from store.texts import storable, storable_json

Answers = Mapping[int, tuple[dict[str, Any], float]]
"""Run → (output, milliseconds)."""


@dataclass(frozen=True)
class Trial:
    """One prompt: `fields` is what was asked (role → value), `prompt` the same in words.

    `answers` maps run → (output, milliseconds), `base` does so for runs asked as they were before training.
    """

    id: int
    ts: float
    task: str
    prompt: str
    gold: str | None
    kept: bool
    answers: dict[int, tuple[dict[str, Any], float]]
    fields: dict[str, Any] = field(default_factory=dict)
    base: dict[int, tuple[dict[str, Any], float]] = field(default_factory=dict)


def add(
    store: Store,
    task: str,
    prompt: str,
    answers: Answers,
    fields: Mapping[str, Any] | None = None,
    base: Answers | None = None,
) -> int:
    """Store a prompt and its answers; return the trial's number. Without `fields` the prompt is the text asked."""
    params: dict[str, Any] = {"fields": dict(fields)} if fields else {}
    params |= {"base": {str(run): list(answer) for run, answer in base.items()}} if base else {}
    with store.write() as connection:
        cursor = connection.execute(
            "INSERT INTO trial(ts, task, prompt, params) VALUES(?,?,?,?)",
            (time.time(), task, storable(prompt), storable_json(json.dumps(params, ensure_ascii=False))),
        )
        trial_id = cursor.lastrowid
        assert trial_id is not None
        connection.executemany(
            "INSERT INTO answer VALUES(?,?,?,?)",
            [
                (trial_id, run, storable_json(json.dumps(output, ensure_ascii=False)), ms)
                for run, (output, ms) in answers.items()
            ],
        )
    return trial_id


def mark(store: Store, trial_id: int, *, gold: str | None = None, kept: bool | None = None) -> None:
    """Set the right answer of a trial, or whether it is kept."""
    with store.write() as connection:
        if gold is not None:
            connection.execute("UPDATE trial SET gold=? WHERE id=?", (gold or None, trial_id))
        if kept is not None:
            connection.execute("UPDATE trial SET kept=? WHERE id=?", (kept, trial_id))


def listing(store: Store, *, task: str | None = None, limit: int = 200) -> list[Trial]:
    """Return the newest trials, newest first; those of one task where it is named."""
    found: dict[int, Trial] = {}
    rows = store.query("SELECT * FROM trial WHERE ?1 IS NULL OR task=?1 ORDER BY id DESC LIMIT ?2", (task, limit))
    for row in rows:
        params = json.loads(row["params"])
        base = {int(run): (output, ms) for run, (output, ms) in params.get("base", {}).items()}
        found[row["id"]] = Trial(
            row["id"],
            row["ts"],
            row["task"],
            row["prompt"],
            row["gold"],
            bool(row["kept"]),
            {},
            params.get("fields") or {"text": row["prompt"]},
            base,
        )
    if found:
        for row in store.query("SELECT * FROM answer WHERE trial_id>=?", (min(found),)):
            if row["trial_id"] in found:
                found[row["trial_id"]].answers[row["run_id"]] = (json.loads(row["output"]), row["ms"])
    return list(found.values())
