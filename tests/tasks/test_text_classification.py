"""Text classification: metrics are scikit-learn's, answers are plain softmax, labels keep their names."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from workbench.errors import WorkbenchError
from workbench.tasks import TASKS
from workbench.tasks.answer import softmax
from workbench.tasks.text_classification import TextClassification, label_text


def fixture(seed: int) -> tuple[TextClassification, list[list[float]], list[int]]:
    """Return a task of 2 to 6 labels with random logits and right answers; some labels may not occur."""
    chance = random.Random(seed)
    labels = [f"label {number}" for number in range(chance.randint(2, 6))]
    rows = chance.randint(1, 60)
    logits = [[chance.gauss(0, 3) for _ in labels] for _ in range(rows)]
    return TextClassification(labels), logits, [chance.randrange(len(labels)) for _ in range(rows)]


@pytest.mark.parametrize("seed", range(25))
def test_metrics_are_those_of_scikit_learn(seed: int) -> None:
    import numpy
    from sklearn import metrics

    task, logits, gold = fixture(seed)
    found = task.metrics([task.answer(row, right) for row, right in zip(logits, gold, strict=True)], gold)
    said = numpy.argmax(logits, axis=1)
    powers = numpy.exp(numpy.array(logits, dtype=numpy.float64))
    probabilities = powers / powers.sum(axis=1, keepdims=True)
    expected = {
        "loss": metrics.log_loss(gold, probabilities, labels=range(len(task.labels))),
        "accuracy": metrics.accuracy_score(gold, said),
        "macro_f1": metrics.f1_score(gold, said, average="macro", zero_division=0),
        "weighted_f1": metrics.f1_score(gold, said, average="weighted", zero_division=0),
        "mcc": metrics.matthews_corrcoef(gold, said),
    }
    assert found == pytest.approx(expected, rel=0, abs=1e-9)


@given(some.lists(some.floats(-800, 800), min_size=2, max_size=8))
def test_an_answer_is_the_most_likely_label_with_its_probability(logits: list[float]) -> None:
    task = TextClassification([str(number) for number in range(len(logits))])
    answer = task.answer(logits, 0)
    assert math.isclose(math.fsum(answer.output["scores"].values()), 1, rel_tol=1e-12)
    assert answer.score == max(answer.output["scores"].values()) == answer.output["scores"][answer.pred]
    assert logits[int(answer.pred)] >= max(logits) - 1e-12
    assert answer.correct is (answer.pred == "0")
    assert answer.loss is not None
    assert answer.loss >= 0


def test_softmax_survives_large_logits() -> None:
    assert softmax([1e30, 0.0]) == [1.0, 0.0]
    assert softmax([-1e30, -1e30]) == [0.5, 0.5]
    task = TextClassification(["a", "b"])
    assert task.answer([1e30, 0.0], 1).loss == math.inf
    unknown = task.answer([2.0, 1.0])
    assert (unknown.loss, unknown.correct) == (None, None)


def test_logits_that_are_not_numbers_have_no_loss_that_is_one() -> None:
    task = TextClassification(["a", "b"])
    answers = [task.answer(row, 0) for row in ([math.nan, 1.0], [1.0, math.nan], [math.inf, math.inf])]
    assert all(answer.loss is not None and math.isnan(answer.loss) for answer in answers)


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ([1, 0, 1], ["0", "1"]),
        ([0.0, 1.0], ["0", "1"]),
        (["1", 0, 1.0], ["0", "1"]),
        ([10, 9, 100], ["9", "10", "100"]),
        (["b", "a", "B"], ["B", "a", "b"]),
        ([True, False], ["False", "True"]),
        (["x", "3"], ["3", "x"]),
        ([0.5, 2.0], ["2", "0.5"]),
    ],
)
def test_labels_are_texts_in_the_order_of_numbers_then_words(labels: list[Any], names: list[str]) -> None:
    task = TextClassification.from_labels(labels)
    assert task.labels == names
    assert [task.labels[number] for number in task.gold(labels, "x")] == [label_text(label) for label in labels]


def test_a_task_comes_back_from_its_description() -> None:
    task = TASKS["sentiment"].from_labels(["good", "bad"])
    from transformers import BertConfig

    again = TASKS["sentiment"].from_description(task.describe())
    assert again.gold(["bad", "good"], "x") == [0, 1]
    config = BertConfig()
    again.configure(config)
    assert (config.num_labels, config.id2label, config.label2id) == (2, {0: "bad", 1: "good"}, {"bad": 0, "good": 1})


def test_unknown_labels_are_named_once_each() -> None:
    with pytest.raises(WorkbenchError) as refusal:
        TextClassification(["a", "b"]).gold(["a", "c", "c", "d"], "eval.csv")
    assert refusal.value.what == "labels that the training rows do not have: 'c' (first in row 2), 'd' (first in row 4)"


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_the_sum_of_the_cross_entropies(smoothing: float) -> None:
    import torch

    task, logits, gold = fixture(3)
    total = float(task.loss(torch.tensor(logits, dtype=torch.float64), torch.tensor(gold), smoothing))
    count = len(task.labels)
    by_hand = 0.0
    for row, right in zip(logits, gold, strict=True):
        logs = [math.log(score) for score in softmax(row)]
        by_hand -= (1 - smoothing) * logs[right] + smoothing * sum(logs) / count
    assert math.isclose(total, by_hand, rel_tol=1e-5)
