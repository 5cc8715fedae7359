"""Multi-label classification: metrics are scikit-learn's, each label is a question of its own."""

from __future__ import annotations

import math
import random
from types import SimpleNamespace
from typing import Any

import pytest

from tests.making import tiny_tokenizer
from workbench.data.features import Example, Feature, RowProblem
from workbench.errors import WorkbenchError
from workbench.tasks.answer import Answer
from workbench.tasks.multi_label import MultiLabel, labels_of


def task_of(labels: list[str], **options: Any) -> MultiLabel:
    return MultiLabel(MultiLabel.Options(**options), {"labels": labels})


def answer(task: MultiLabel, logits: list[float], gold: list[int] | None = None) -> Answer:
    return task.answer(Example({"text": "x"}, gold), [(Feature(0, [1]), logits)])


def fixture(seed: int) -> tuple[MultiLabel, list[list[float]], list[list[int]]]:
    """Return a task of 1 to 7 labels with random logits and right answers, some of them none."""
    chance = random.Random(seed)
    labels = [f"label {number}" for number in range(chance.randint(1, 7))]
    rows = chance.randint(1, 60)
    logits = [[chance.gauss(-0.5, 2) for _ in labels] for _ in range(rows)]
    return task_of(labels), logits, [[n for n in range(len(labels)) if chance.random() < 0.4] for _ in range(rows)]


@pytest.mark.parametrize("seed", range(25))
def test_metrics_are_those_of_scikit_learn(seed: int) -> None:
    import numpy
    from sklearn import metrics

    task, logits, gold = fixture(seed)
    answers = [answer(task, row, right) for row, right in zip(logits, gold, strict=True)]
    found = task.metrics(answers, [Example({}, right) for right in gold])
    probabilities = 1 / (1 + numpy.exp(-numpy.array(logits)))
    right = numpy.array([[number in each for number in range(len(task.labels))] for each in gold])
    said = probabilities >= 0.5
    chances = numpy.where(right, probabilities, 1 - probabilities)
    # One column is a question of two answers to scikit-learn: its F1 is that of the answer yes.
    one = {"average": "binary"} if len(task.labels) == 1 else None
    f1 = {
        name: metrics.f1_score(right, said, **(one or {"average": name}), zero_division=0)
        for name in ("micro", "macro", "weighted")
    }
    expected = {
        "loss": float(-numpy.log(chances).mean()),
        "accuracy": float((right == said).all(axis=1).mean()),
        **{f"{name}_f1": value for name, value in f1.items()},
    }
    assert set(found) == set(task.card.metrics)
    assert found == pytest.approx(expected, rel=0, abs=1e-9)


def test_an_answer_is_the_labels_from_the_threshold_on() -> None:
    task = task_of(["a", "b", "c"], threshold=0.3)
    said = answer(task, [0.0, -2.0, -0.5], [0])
    assert said.output["labels"] == ["a", "c"]
    assert (said.pred, said.correct) == ("a, c", False)
    a, b, c = said.output["scores"].values()
    assert said.score == pytest.approx(a * (1 - b) * c)
    assert answer(task, [0.0, -2.0, -3.0], [0]).correct
    nothing = answer(task, [-5.0, -5.0, -5.0], [])
    assert (nothing.pred, nothing.output["labels"], nothing.correct) == ("none", [], True)
    assert answer(task, [1.0, 1.0, 1.0]).loss is None


def test_logits_of_any_size_have_a_loss() -> None:
    said = answer(task_of(["a", "b"]), [1e4, -1e4], [1])
    assert said.loss == pytest.approx(1e4)
    assert math.isnan(answer(task_of(["a"]), [math.nan], [0]).loss or 0.0)


@pytest.mark.parametrize(
    ("value", "labels"),
    [
        (["joy", "fear"], ["joy", "fear"]),
        ("joy, fear", ["joy", "fear"]),
        ("joy", ["joy"]),
        ("3,14", ["3", "14"]),
        (7, ["7"]),
        ([1.0, 2], ["1", "2"]),
        ('["joy, deep", "fear"]', ["joy, deep", "fear"]),
        (["joy", "joy", None, " "], ["joy"]),
        ("", []),
        ([], []),
        (None, []),
        ("null", ["null"]),
    ],
)
def test_labels_are_read_as_the_file_has_them(value: Any, labels: list[str]) -> None:
    assert labels_of({"labels": value}, ",") == labels


def test_a_row_without_the_column_has_no_right_answer() -> None:
    task = task_of(["a"])
    assert task.example({"text": "x"}) == Example({"text": "x"}, None)
    assert task.gold_words(task.example({"text": "x", "labels": ""})) == "none"


def test_numbers_are_named_by_the_file_beside_the_data() -> None:
    rows = [{"labels": "0,2"}, {"labels": "1"}, {"labels": ""}]
    task = MultiLabel.learn(MultiLabel.Options(), rows, ["joy", "fear", "anger"])
    assert task.labels == ["joy", "fear", "anger"]
    examples = [task.example({"text": "x", **row}) for row in rows]
    assert [task.gold_words(each) for each in examples] == ["joy, anger", "fear", "none"]
    assert task.count_golds(examples) == {"joy": 1, "fear": 1, "anger": 1}


def test_rows_that_cannot_be_learned_from_say_why() -> None:
    with pytest.raises(WorkbenchError, match="no row has a label"):
        MultiLabel.learn(MultiLabel.Options(), [{"labels": []}, {"labels": ""}], [])
    with pytest.raises(RowProblem, match="'c', a label that no training row has"):
        task_of(["a"]).example({"text": "x", "labels": ["c"]})
    with pytest.raises(RowProblem, match="lists in a list"):
        labels_of({"labels": [["a"]]}, ",")
    with pytest.raises(RowProblem, match="not closed"):
        labels_of({"labels": "[a"}, ",")


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_is_the_sum_of_the_mean_binary_cross_entropies(smoothing: float) -> None:
    import torch

    task, logits, gold = fixture(5)
    features = task.encode(tiny_tokenizer(), [Example({"text": "good"}, right) for right in gold], 16)
    labels = task.collate(features, tiny_tokenizer())["labels"].double()
    model = SimpleNamespace(logits=torch.tensor(logits, dtype=torch.float64))
    total = float(task.loss(lambda: model, {"labels": labels}, smoothing))  # type: ignore[arg-type]
    by_hand = 0.0
    for row, right in zip(logits, gold, strict=True):
        for number, logit in enumerate(row):
            wanted = (number in right) * (1 - smoothing) + smoothing / 2
            chance = 1 / (1 + math.exp(-logit))
            by_hand -= (wanted * math.log(chance) + (1 - wanted) * math.log(1 - chance)) / len(row)
    assert total == pytest.approx(by_hand, rel=1e-5)
