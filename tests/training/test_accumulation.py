"""Batches that are added up are one large batch: the same loss, the same norm of the gradient."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.making import tiny_backbone, write_jsonl
from tests.training.support import recipe_of
from workbench.training.checkpoints import Progress
from workbench.training.job import Job, build
from workbench.training.loop import update

SENTENCE = "so good and kind was the day that all of us met Ann and Bo in Berlin"
WORDS = SENTENCE.split()
COUNT = 23
"""Rows of training: seven batches of three and one of two, in windows of three, three and two batches."""


def labelled(number: int) -> dict[str, Any]:
    return {"text": " ".join(WORDS[: 1 + number % 11]), "label": "abc"[number % 3 % (1 + number % 2)]}


def tagged(number: int) -> dict[str, Any]:
    words = [*WORDS[: number % 9], "Ann", *WORDS[: number % 4]]
    return {"tokens": words, "tags": ["B-person" if word in ("Ann", "Bo") else "O" for word in words]}


def instructed(number: int) -> dict[str, Any]:
    return {"instruction": " ".join(WORDS[: 1 + number % 7]), "response": " ".join(WORDS[: 1 + number % 10])}


TASKS = {
    "text-classification": ("bert", labelled),
    "named-entities": ("bert", tagged),
    "instructions": ("llama", instructed),
}


@pytest.fixture(scope="module")
def backbones(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {kind: tiny_backbone(tmp_path_factory.mktemp("backbone") / kind, kind) for kind in ("bert", "llama")}


def numbers_of(job: Job, windows: list[list[list[int]]]) -> list[tuple[float, float]]:
    """Return the loss and the norm of an update on each window; the rate is too small to change a weight."""
    found = []
    for step, window in enumerate(windows):
        done = update(job, window, Progress(step))
        found.append((float(done.loss), float(done.norm)))
    return found


@pytest.mark.parametrize("remedies", [{}, {"rdrop": 2.0}, {"class_weights": "balanced", "label_smoothing": 0.1}])
@pytest.mark.parametrize("name", TASKS)
def test_batches_added_up_are_one_large_batch(
    backbones: dict[str, Path], tmp_path: Path, name: str, remedies: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without dropout, so that both see the same: two passes then say the same, which a run refuses.
    monkeypatch.setattr("workbench.training.job.refuse_equal_passes", lambda *_: None)
    if name == "instructions" and "class_weights" in remedies:
        remedies = {"label_smoothing": 0.1}
    kind, make = TASKS[name]
    train = write_jsonl(tmp_path / "train.jsonl", map(make, range(COUNT)))
    held_out = write_jsonl(tmp_path / "validation.jsonl", map(make, range(4)))
    plain = {"batch_size": 3, "accumulation": 3, "max_grad_norm": 1e9, "learning_rate": 1e-30, "weight_decay": 0.0}
    made = recipe_of(
        backbones[kind],
        train,
        task=name,
        data={"train": str(train), "validation": str(held_out)},
        training={**plain, "batches": "random", **remedies},
    )
    (tmp_path / "run").mkdir()
    job = build(made, tmp_path / "run", tmp_path / "cache")
    windows = job.windows(0)
    assert [[len(batch) for batch in window] for window in windows] == [[3, 3, 3], [3, 3, 3], [3, 2]]
    if name != "text-classification":
        items = [{sum(job.train[number].items for number in batch) for batch in window} for window in windows]
        assert any(len(counts) > 1 for counts in items)
    whole = [[[number for batch in window for number in batch]] for window in windows]
    parts, large = numbers_of(job, windows), numbers_of(job, whole)
    assert parts == [pytest.approx(each, rel=1e-6) for each in large]
    assert len({round(loss, 6) for loss, _ in large}) == len(large)
