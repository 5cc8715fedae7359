"""The tasks on whole texts, on every architecture with the head: they learn, are saved and answer the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.making import SHAPES, tiny_backbone, tiny_model, toy_rows
from tests.tasks.support import answers_of, through_a_folder, train_a_little
from workbench.abilities import why_unable
from workbench.data.features import Example
from workbench.tasks import TASKS
from workbench.tasks.task import Task
from workbench.training.model import load_tokenizer

AUTO = "AutoModelForSequenceClassification"
KINDS = [kind for kind in SHAPES if not why_unable(AUTO, kind)]
GOLDS: dict[str, Sequence[Any]] = {
    "text-classification": ["bad", "good", "fair"],
    "multi-label": [["bad"], ["good", "short"], []],
    "regression": [1.0, 4.5, 3.0],
}
ROLES = {"text-classification": "label", "multi-label": "labels", "regression": "score"}
LIMIT = 32


def made(name: str, pair: bool = False) -> tuple[Task, list[Example]]:
    """Return a task that learned from rows, and the rows' examples; with `pair` each has a second text."""
    golds = GOLDS[name]
    rows = [
        {"text": row["text"], ROLES[name]: golds[number % len(golds)], **({"pair": "so good"} if pair else {})}
        for number, row in enumerate(toy_rows(11))
    ]
    task = TASKS[name].learn(TASKS[name].Options(), rows, [])
    return task, [task.example(row) for row in rows]


def test_the_kinds_are_those_with_a_head_in_the_library() -> None:
    assert [kind for kind in SHAPES if kind not in KINDS] == ["marian"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", GOLDS)
def test_each_architecture_learns_is_saved_and_answers_the_same(name: str, kind: str, tmp_path: Path) -> None:
    import torch
    import transformers

    task, examples = made(name, pair=kind in ("bert", "roberta", "llama"))
    tokenizer = load_tokenizer(tiny_backbone(tmp_path / "backbone", kind))
    model = tiny_model(kind, labels=1 if name == "regression" else 3)
    task.configure(model.config, tokenizer)
    losses = train_a_little(task, model, tokenizer, examples, LIMIT, updates=4, rate=3e-3)
    assert losses[-1] < losses[0]
    answers = answers_of(task, model, tokenizer, examples, LIMIT)
    assert set(task.metrics(answers, examples)) == set(task.card.metrics)
    assert [answers_of(task, model, tokenizer, [each], LIMIT)[0] for each in examples] == answers
    again, loaded, saved = through_a_folder(task, model, tokenizer, tmp_path / "saved")
    assert answers_of(again, loaded, saved, examples, LIMIT) == answers

    plain = getattr(transformers, AUTO).from_pretrained(tmp_path / "saved").eval()
    for feature in task.questions(tokenizer, examples[:4], LIMIT):
        batch = {key: value for key, value in task.collate([feature], tokenizer).items() if key != "labels"}
        with torch.inference_mode():
            logits, own = plain(**batch).logits[0], model.eval()(**batch).logits[0]
        assert torch.allclose(logits, own, atol=1e-6)
