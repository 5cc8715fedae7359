"""Text classification: metrics are scikit-learn's, answers are plain softmax, labels keep their names."""

from __future__ import annotations

import math
import random
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tests.making import tiny_tokenizer
from workbench.data.features import Example, Feature, RowProblem
from workbench.tasks import TASKS
from workbench.tasks.answer import Answer, softmax
from workbench.tasks.labels import label_text
from workbench.tasks.text_classification import TextClassification


def task_of(labels: list[str]) -> TextClassification:
    return TextClassification(TextClassification.Options(), {"labels": labels})


def learned(labels: list[Any], names: list[str] | None = None) -> TextClassification:
    return TextClassification.learn(TextClassification.Options(), [{"label": label} for label in labels], names or [])


def answer(task: TextClassification, logits: list[float], gold: int | None = None) -> Answer:
    return task.answer(Example({"text": "x"}, gold), [(Feature(0, [1]), logits)])


def fixture(seed: int) -> tuple[TextClassification, list[list[float]], list[int]]:
    """Return a task of 2 to 6 labels with random logits and right answers; some labels may not occur."""
    chance = random.Random(seed)
    labels = [f"label {number}" for number in range(chance.randint(2, 6))]
    rows = chance.randint(1, 60)
    logits = [[chance.gauss(0, 3) for _ in labels] for _ in range(rows)]
    return task_of(labels), logits, [chance.randrange(len(labels)) for _ in range(rows)]


@pytest.mark.parametrize("seed", range(25))
def test_metrics_are_those_of_scikit_learn(seed: int) -> None:
    import numpy
    from sklearn import metrics

    task, logits, gold = fixture(seed)
    answers = [answer(task, row, right) for row, right in zip(logits, gold, strict=True)]
    found = task.metrics(answers, [Example({}, right) for right in gold])
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
    said = answer(task_of([str(number) for number in range(len(logits))]), logits, 0)
    assert math.isclose(math.fsum(said.output["scores"].values()), 1, rel_tol=1e-12)
    assert said.score == max(said.output["scores"].values()) == said.output["scores"][said.pred]
    assert logits[int(said.pred)] >= max(logits) - 1e-12
    assert said.correct is (said.pred == "0")
    assert said.loss is not None
    assert said.loss >= 0


def test_softmax_survives_large_logits() -> None:
    assert softmax([1e30, 0.0]) == [1.0, 0.0]
    assert softmax([-1e30, -1e30]) == [0.5, 0.5]
    task = task_of(["a", "b"])
    assert answer(task, [1e30, 0.0], 1).loss == math.inf
    unknown = answer(task, [2.0, 1.0])
    assert (unknown.loss, unknown.correct) == (None, None)


def test_logits_that_are_not_numbers_have_no_loss_that_is_one() -> None:
    task = task_of(["a", "b"])
    answers = [answer(task, row, 0) for row in ([math.nan, 1.0], [1.0, math.nan], [math.inf, math.inf])]
    assert all(each.loss is not None and math.isnan(each.loss) for each in answers)


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
    task = learned(labels)
    assert task.labels == names
    examples = [task.example({"text": "x", "label": label}) for label in labels]
    assert [task.gold_words(example) for example in examples] == [label_text(label) for label in labels]


def test_a_task_comes_back_from_its_description() -> None:
    from transformers import BertConfig

    again = TASKS["sentiment"].from_description(
        learned([0, 1], ["bad", "good"]).describe() | {"task": {"name": "sentiment"}}
    )
    assert [again.example({"text": "x", "label": label}).gold for label in ("bad", "good", 1)] == [0, 1, 1]
    config = BertConfig()
    again.configure(config, tiny_tokenizer())
    assert (config.num_labels, config.id2label, config.label2id) == (2, {0: "bad", 1: "good"}, {"bad": 0, "good": 1})


def test_a_row_that_cannot_be_learned_from_says_why() -> None:
    task = task_of(["a", "b"])
    for row, words in (
        ({"text": "x", "label": "c"}, "holds 'c', a label that no training row has"),
        ({"text": "x", "label": ["a"]}, "holds list, not one label"),
        ({"text": 3, "label": "a"}, "holds int, not text"),
        ({"text": "x", "pair": 3, "label": "a"}, "holds int, not text"),
    ):
        with pytest.raises(RowProblem, match=words):
            task.example(row)


def test_a_pair_is_read_as_one_input() -> None:
    task, tokenizer = task_of(["a", "b"]), tiny_tokenizer()
    rows = [{"text": "a good day", "pair": "so bad", "label": "a"}, {"text": "bad", "pair": "good", "label": "b"}]
    features = task.encode(tokenizer, [task.example(row) for row in rows], 32)
    for feature, row in zip(features, rows, strict=True):
        assert feature.ids == tokenizer(row["text"], row["pair"])["input_ids"]
        assert feature.types == tokenizer(row["text"], row["pair"])["token_type_ids"]
    batch = task.collate(features, tokenizer)
    assert batch["token_type_ids"].shape == batch["input_ids"].shape
    assert batch["labels"].tolist() == [0, 1]


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_the_sum_of_the_cross_entropies(smoothing: float) -> None:
    import torch

    task, logits, gold = fixture(3)
    model = SimpleNamespace(logits=torch.tensor(logits, dtype=torch.float64))
    total = float(task.loss(lambda: model, {"labels": torch.tensor(gold)}, smoothing))  # type: ignore[arg-type]
    count = len(task.labels)
    by_hand = 0.0
    for row, right in zip(logits, gold, strict=True):
        logs = [math.log(score) for score in softmax(row)]
        by_hand -= (1 - smoothing) * logs[right] + smoothing * sum(logs) / count
    assert math.isclose(total, by_hand, rel_tol=1e-5)


def test_a_pair_that_is_empty_is_none_and_depends_on_no_company() -> None:
    task, tokenizer = task_of(["a", "b"]), tiny_tokenizer()
    rows = [{"text": "good", "pair": value} for value in (None, "", " ", "bad")] + [{"text": "good"}]
    features = task.encode(tokenizer, [task.example(row) for row in rows], 16)
    alone = tokenizer("good")["input_ids"]
    assert [feature.ids for feature in features] == [alone, alone, alone, tokenizer("good", "bad")["input_ids"], alone]


def test_what_rows_hold_goes_before_a_name_that_looks_like_it() -> None:
    stars = TextClassification.learn(TextClassification.Options(), [{"label": n} for n in (0, 1, 2)], ["1", "2", "3"])
    assert [stars.example({"text": "x", "label": n}).gold for n in (0, 1, 2)] == [0, 1, 2]
