"""Regression: correlations are scipy's, the output is the score itself, the loss knows no unit."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest

from tests.making import tiny_model, tiny_tokenizer
from workbench.data.features import Example, Feature, RowProblem
from workbench.errors import WorkbenchError
from workbench.tasks.answer import Answer
from workbench.tasks.regression import Regression, score_of


def task_of(mean: float = 2.5, deviation: float = 1.5) -> Regression:
    return Regression(Regression.Options(), {"mean": mean, "deviation": deviation})


def answer(task: Regression, value: float, gold: float | None = None) -> Answer:
    return task.answer(Example({"text": "x"}, gold), [(Feature(0, [1]), value)])


@pytest.mark.parametrize("seed", range(25))
def test_metrics_are_those_of_scipy_and_scikit_learn(seed: int) -> None:
    from scipy import stats
    from sklearn import metrics

    chance, task = random.Random(seed), task_of()
    count = chance.randint(3, 60)
    gold = [round(chance.uniform(0, 5), chance.randint(0, 2)) for _ in range(count)]
    said = [right + chance.gauss(0, 2) for right in gold]
    answers = [answer(task, value, right) for value, right in zip(said, gold, strict=True)]
    expected = {
        "spearman": stats.spearmanr(gold, said).statistic,
        "pearson": stats.pearsonr(gold, said).statistic,
        "mae": metrics.mean_absolute_error(gold, said),
        "loss": metrics.mean_squared_error(gold, said) / 1.5**2,
    }
    found = task.metrics(answers, [Example({}, right) for right in gold])
    assert set(found) == set(task.card.metrics)
    assert found == pytest.approx(expected, rel=0, abs=1e-9)


def test_where_nothing_varies_there_is_no_correlation() -> None:
    task = task_of()
    for said, gold in (([1.0, 1.0], [1.0, 2.0]), ([1.0, 2.0], [3.0, 3.0]), ([1.0], [2.0])):
        answers = [answer(task, value, right) for value, right in zip(said, gold, strict=True)]
        found = task.metrics(answers, [Example({}, right) for right in gold])
        assert (found["spearman"], found["pearson"]) == (0.0, 0.0)


@pytest.mark.parametrize(("value", "score"), [(3, 3.0), ("2.5", 2.5), (" 1e2 ", 100.0), (True, 1.0), (None, None)])
def test_a_score_is_a_number_or_a_text_that_is_one(value: Any, score: float | None) -> None:
    assert score_of({"score": value}) == score


@pytest.mark.parametrize("value", ["good", "", "1,5", [1], "nan", "inf"])
def test_what_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(RowProblem, match=r"not a number|not finite"):
        score_of({"score": value})


def test_the_training_scores_are_learned() -> None:
    task = Regression.learn(Regression.Options(), [{"score": score} for score in (1, 2, 3, 4)], [])
    assert task.learned == {"mean": 2.5, "deviation": math.sqrt(1.25)}
    with pytest.raises(WorkbenchError, match="the same score"):
        Regression.learn(Regression.Options(), [{"score": 1}, {"score": "1.0"}], [])


@pytest.mark.parametrize("kind", ["bert", "roberta", "mpnet", "modernbert", "llama"])
def test_the_model_begins_at_the_mean_of_the_scores(kind: str) -> None:
    import torch

    task = task_of(mean=70.0, deviation=10.0)
    model = tiny_model(kind, labels=1).eval()
    task.begin(model)
    features = task.questions(tiny_tokenizer(), [Example({"text": "good"})], 16)
    with torch.inference_mode():
        (value,) = task.outputs(model, task.collate(features, tiny_tokenizer()), "", None)
    # A decoder's head has no bias: it begins near nought and finds the mean itself.
    assert value == pytest.approx(0.0 if kind == "llama" else 70.0, abs=1.0)


def test_the_loss_is_the_sum_of_squared_errors_in_deviations() -> None:
    import torch

    task, tokenizer, model = task_of(), tiny_tokenizer(), tiny_model("bert", labels=1).eval()
    examples = [Example({"text": "good"}, 1.0), Example({"text": "bad"}, 4.5)]
    features = task.encode(tokenizer, examples, 16)
    with torch.inference_mode():
        total = float(task.loss(model, task.collate(features, tokenizer), 0.0))
        said = task.outputs(model, task.collate(task.questions(tokenizer, examples, 16), tokenizer), "", None)
    losses = [answer(task, value, each.gold).loss or 0.0 for value, each in zip(said, examples, strict=True)]
    assert total == pytest.approx(math.fsum(losses), rel=1e-6)
