"""Exact match and F1 of answers as the SQuAD 2.0 evaluation script has them; on questions with answers, SQuAD 1.1's."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence

ARTICLES = re.compile(r"\b(a|an|the)\b")
PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalised(text: str) -> str:
    """Return a text in small letters without ASCII punctuation and articles, its words parted by single blanks."""
    return " ".join(ARTICLES.sub(" ", text.lower().translate(PUNCTUATION)).split())


def exact_match(said: str, golds: Sequence[str]) -> float:
    """Return 1 where an answer is one of the right ones once both are normalised, else 0.

    An empty answer says that there is none, as empty `golds` do.
    """
    return _best(lambda one, other: float(one == other), said, golds)


def f1(said: str, golds: Sequence[str]) -> float:
    """Return the best F1 (0 to 1) of an answer's words with those of a right one, each word as often as it occurs.

    Where one of the two has no words, 1 if the other has none either, else 0.
    """
    return _best(_overlap, said, golds)


def _best(compare: Callable[[str, str], float], said: str, golds: Sequence[str]) -> float:
    # A right answer of which nothing is left counts only where all are such.
    right = [gold for gold in map(normalised, golds) if gold] or [""]
    return max(compare(normalised(said), gold) for gold in right)


def _overlap(said: str, gold: str) -> float:
    one, other = said.split(), gold.split()
    if not one or not other:
        return float(one == other)
    shared = (Counter(one) & Counter(other)).total()
    if not shared:
        return 0.0
    precision, recall = shared / len(one), shared / len(other)
    return 2 * precision * recall / (precision + recall)
