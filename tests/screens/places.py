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


@dataclass
class FakeClient:
    """A client whose answers come at once, or when `open` is set; `ask` may raise what the real one raises."""

    home: Home
    open: threading.Event = field(default_factory=threading.Event)
    scores: Callable[[Run, str], dict[str, float]] = lambda run, text: {"negative": 0.25, "positive": 0.75}
    problem: str = ""
    asked: list[tuple[int, str]] = field(default_factory=list)
    closed: bool = False

    def answer(
        self,
        run: Run,
        rows: Sequence[Mapping[str, Any]],
        *,
        timeout: float = 120,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> list[Answer]:
        """Answer as the real client would."""
        while not self.open.wait(0.01):
            if cancelled() or self.closed:
                raise WorkbenchError("cancelled")
        if self.problem:
            raise WorkbenchError(self.problem, hint="Pick another run.")
        self.asked.append((run.id, rows[0]["text"]))
        outputs = [self._output(run, row["text"]) for row in rows]
        return [Answer(run.id, run.best_step or 0, each["label"], 0.5, each, 11.4) for each in outputs]

    def _output(self, run: Run, text: str) -> dict[str, Any]:
        scores = self.scores(run, text)
        pieces = ["[CLS]", *text.split(), "[SEP]"]
        label = max(scores, key=lambda name: scores[name])
        return {"label": label, "scores": scores, "tokens": len(pieces), "pieces": pieces}

    def close(self) -> None:
        """End at once."""
        self.closed = True
