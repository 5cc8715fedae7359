"""What the tests of New, Compare and Try need beside the seeded home: predictions, fakes of the processes they ask."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from store import predictions, runs
from store.connection import open_store
from store.runs import Run
from workbench.answers import asked
from workbench.data.findings import warning
from workbench.data.report import Report
from workbench.errors import WorkbenchError
from workbench.inference.client import Answer
from workbench.paths import Home

EXAMPLES = 200


def add_predictions(home: Home) -> None:
    """Give each run with a model predictions on one evaluation set, right about as often as its score says."""
    rng = random.Random(7)
    with open_store(home.store) as store:
        examples = [
            (index, json.dumps({"text": f"text {index} of a film"}), "positive" if index % 2 else "negative")
            for index in range(EXAMPLES)
        ]
        with store.write() as connection:
            predictions.add_examples(connection, "set1", examples)
        for run in runs.listing(store):
            if run.best_value is None:
                continue
            rows = []
            for index, _, gold in examples:
                right = rng.random() < run.best_value
                said = gold if right else {"positive": "negative", "negative": "positive"}[gold]
                rows.append((index, said, 0.9, 0.1, right, {"label": said}))
            with store.write() as connection:
                predictions.replace(connection, run.id, run.best_step or 0, "set1", rows)
                connection.execute("UPDATE run SET eval_set='set1' WHERE id=?", (run.id,))


def report(**changes: Any) -> Report:
    """Return what the child would say of the starter set."""
    values: dict[str, Any] = {
        "rows": 739, "validation_rows": 164, "columns": ["text", "label"], "encoding": "UTF-8",
        "types": {"text": "text", "label": "text"}, "chosen": {"text": "text", "label": "label"},
        "labels": {"negative": 370, "positive": 369}, "updates": 141, "evaluation_every": 11,
        "preview": [("a wonderful trip", "positive"), ("a boring boat trip", "negative")],
        "parameters": 1_420_000, "notes": ["labels.txt beside the data names the labels"],
        "findings": [warning("overlap", "2 of 164 evaluation rows are training rows too", [3, 9], "Remove them.")],
    }  # fmt: skip
    return Report(**values | changes)


Said = tuple[str, float | None, dict[str, Any]]
"""An answer in short, its score, and the whole of it."""


@dataclass
class FakeClient:
    """A client whose answers come at once, or when `open` is set; `problem` is raised as the real one does.

    `says` answers in the way of any task; `scores` are those of two labels, where `says` is not set. A text of
    `words` is written word by word, and waits before the one numbered `pause` until it is stopped.
    """

    home: Home
    open: threading.Event = field(default_factory=threading.Event)
    scores: Callable[[Run, str], dict[str, float]] = lambda run, text: {"negative": 0.25, "positive": 0.75}
    says: Callable[[Run, Mapping[str, Any], bool], Said] | None = None
    words: Sequence[str] = ()
    pause: int = -1
    problem: str = ""
    asked: list[tuple[int, str]] = field(default_factory=list)
    rows: list[tuple[int, bool, dict[str, Any]]] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)
    closed: bool = False

    def answer(
        self,
        run: Run,
        rows: Sequence[Mapping[str, Any]],
        *,
        base: bool = False,
        written: Callable[[str], None] | None = None,
        timeout: float = 120,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> list[Answer]:
        """Answer as the real client would."""
        self._wait(self.open, cancelled)
        if self.problem:
            raise WorkbenchError(self.problem, hint="Pick another run.")
        (row,) = rows
        self.asked.append((run.id, asked(row)))
        self.rows.append((run.id, base, dict(row)))
        pred, score, output = self._said(run, row, base)
        if self.words and written is not None:
            text = self._write(written, cancelled)
            pred, output = text, output | {"text": text, "written": len(text.split())}
        step = 0 if base else run.best_step or 0
        pieces = ["[CLS]", *asked(row).split(), "[SEP]"]
        return [Answer(run.id, step, pred, score, {"tokens": len(pieces), "pieces": pieces} | output, 11.4)]

    def _wait(self, event: threading.Event, cancelled: Callable[[], bool]) -> None:
        while not event.wait(0.01):
            if cancelled() or self.closed:
                raise WorkbenchError("cancelled")

    def _said(self, run: Run, row: Mapping[str, Any], base: bool) -> Said:
        if self.says is not None:
            return self.says(run, row, base)
        scores = self.scores(run, asked(row))
        label = max(scores, key=lambda name: scores[name])
        return label, scores[label], {"label": label, "scores": scores}

    def _write(self, written: Callable[[str], None], cancelled: Callable[[], bool]) -> str:
        for number in range(1, len(self.words) + 1):
            if number == self.pause:
                self._wait(self.stopped, cancelled)
                return " ".join(self.words[: number - 1])
            written(" ".join(self.words[:number]))
        return " ".join(self.words)

    def stop(self) -> None:
        """End the writing of an answer."""
        self.stopped.set()

    def close(self) -> None:
        """End at once."""
        self.closed = True


def make_task(home: Home, task: str, examples: Sequence[tuple[Mapping[str, Any], str | None]]) -> None:
    """Make every run one of a task whose evaluation set holds these examples (fields, right answer)."""
    rows = [(index, json.dumps(fields), gold) for index, (fields, gold) in enumerate(examples)]
    with open_store(home.store) as store, store.write() as connection:
        predictions.add_examples(connection, f"set of {task}", rows)
        connection.execute(
            "UPDATE run SET task=?, name=replace(strategy, '-', ' ') || ' of ' || id, eval_set=?",
            (task, f"set of {task}"),
        )
