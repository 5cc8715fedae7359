"""Each label's precision, recall and F1 are scikit-learn's, and so is the confusion table."""

from __future__ import annotations

import random

import pytest

from store.predictions import Prediction
from workbench.insight.labels import confusion, label_rows, mistakes

LABELS = ("a", "b", "c", "d e")


def single(gold: str, pred: str) -> Prediction:
    output = {"label": pred, "scores": dict.fromkeys(LABELS, 0.25)}
    return Prediction(1, 1, "set", 0, {"text": "x"}, gold, pred, 0.5, 0.1, gold == pred, output)


def several(gold: list[str], said: list[str]) -> Prediction:
    output = {"labels": said, "scores": dict.fromkeys(LABELS, 0.25), "threshold": 0.5}
    words = [", ".join(labels) or "none" for labels in (gold, said)]
    return Prediction(1, 1, "set", 0, {"text": "x"}, words[0], words[1], 0.5, 0.1, gold == said, output)


@pytest.mark.parametrize("seed", range(20))
def test_one_label_each(seed: int) -> None:
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    chance = random.Random(seed)
    gold = [chance.choice(LABELS[: chance.randint(1, 4)]) for _ in range(40)]
    said = [chance.choice(LABELS[: chance.randint(1, 4)]) for _ in range(40)]
    rows = label_rows([single(one, other) for one, other in zip(gold, said, strict=True)])
    names = [row.label for row in rows]
    assert names == [label for label in LABELS if label in {*gold, *said}]
    expected = precision_recall_fscore_support(gold, said, labels=names, zero_division=0)
    found = [[row.precision for row in rows], [row.recall for row in rows], [row.f1 for row in rows]]
    assert found == [pytest.approx(list(values), abs=1e-12) for values in expected[:3]]
    assert [row.rows for row in rows] == list(expected[3])
    table = confusion([single(one, other) for one, other in zip(gold, said, strict=True)])
    matrix = confusion_matrix(gold, said, labels=names)
    assert [[table.get(one, {}).get(other, 0) for other in names] for one in names] == matrix.tolist()


@pytest.mark.parametrize("seed", range(20))
def test_several_labels_each(seed: int) -> None:
    from sklearn.metrics import precision_recall_fscore_support

    chance = random.Random(seed)
    sets = [[[label for label in LABELS if chance.random() < 0.4] for _ in range(30)] for _ in range(2)]
    rows = label_rows([several(gold, said) for gold, said in zip(*sets, strict=True)])
    marks = [[[label in each for label in LABELS] for each in side] for side in sets]
    expected = precision_recall_fscore_support(*marks, zero_division=0)
    for row in rows:
        place = LABELS.index(row.label)
        assert (row.precision, row.recall, row.f1) == pytest.approx([values[place] for values in expected[:3]])
        assert row.rows == expected[3][place]


def test_the_commonest_mistakes_come_first() -> None:
    told = [single("a", "b"), single("a", "c"), single("a", "c"), single("b", "b")]
    assert mistakes(confusion(told)) == [("a", "c", 2), ("a", "b", 1)]


def test_a_task_without_labels_has_no_table() -> None:
    told = Prediction(1, 1, "set", 0, {"text": "x"}, "1.5", "1.2", None, 0.1, None, {"value": 1.2})
    assert (label_rows([told]), confusion([told]), label_rows([])) == ([], {}, [])


def test_a_label_with_a_comma_is_one() -> None:
    output = {"labels": ["food, drink", "art"], "scores": {"food, drink": 0.9, "art": 0.8}, "threshold": 0.5}
    told = Prediction(1, 1, "set", 0, {"text": "x"}, "food, drink, art", "food, drink, art", 0.7, 0.1, True, output)
    assert [(row.label, row.f1, row.rows) for row in label_rows([told])] == [("food, drink", 1.0, 1), ("art", 1.0, 1)]
