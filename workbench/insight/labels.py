"""How well each label was told, and which are taken for which, from the stored predictions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass

from store.predictions import Prediction


@dataclass(frozen=True)
class LabelRow:
    """One label: precision, recall and F1 as scikit-learn has them (0 where undefined), and its rows of the set."""

    label: str
    precision: float
    recall: float
    f1: float
    rows: int


def label_rows(predictions: Sequence[Prediction]) -> list[LabelRow]:
    """Return a row for each label that occurs, in the model's order; nothing where the task has no labels."""
    pairs = [(_right(each), _said(each)) for each in predictions if "scores" in each.output and each.gold is not None]
    known = [label for each in predictions[:1] for label in each.output.get("scores", ())]
    right, said, both = (Counter(label for group in groups for label in group) for groups in _groups(pairs))
    return [
        _row(label, right[label], said[label], both[label])
        for label in dict.fromkeys([*known, *right, *said])
        if right[label] or said[label]
    ]


def confusion(predictions: Sequence[Prediction]) -> dict[str, dict[str, int]]:
    """Return right label → label that was said → how often, of tasks with one label for each text."""
    table: dict[str, dict[str, int]] = {}
    for each in predictions:
        if "label" in each.output and each.gold is not None:
            row = table.setdefault(each.gold, {})
            row[each.pred] = row.get(each.pred, 0) + 1
    return table


def mistakes(table: dict[str, dict[str, int]], limit: int = 5) -> list[tuple[str, str, int]]:
    """Return the commonest mistakes of a confusion table: (right label, label that was said, how often)."""
    wrong = [(right, said, n) for right, row in table.items() for said, n in row.items() if said != right]
    return sorted(wrong, key=lambda each: -each[2])[:limit]


def _groups(pairs: Iterable[tuple[list[str], list[str]]]) -> tuple[list[list[str]], list[list[str]], list[list[str]]]:
    listed = list(pairs)
    both = [[label for label in right if label in said] for right, said in listed]
    return [right for right, _ in listed], [said for _, said in listed], both


def _right(each: Prediction) -> list[str]:
    assert each.gold is not None
    if "labels" not in each.output:
        return [each.gold]
    return _known(each.gold.split(", "), each.output["scores"])


def _known(parts: list[str], known: Container[str]) -> list[str]:
    """Return the labels that parts make, a comma may stand in one: the longest first."""
    for end in range(len(parts), 0, -1):
        if (label := ", ".join(parts[:end])) in known:
            return [label, *_known(parts[end:], known)]
    return []


def _said(each: Prediction) -> list[str]:
    return list(each.output["labels"]) if "labels" in each.output else [each.pred]


def _row(label: str, right: int, said: int, both: int) -> LabelRow:
    precision, recall = both / said if said else 0.0, both / right if right else 0.0
    return LabelRow(label, precision, recall, 2 * both / (right + said), right)
