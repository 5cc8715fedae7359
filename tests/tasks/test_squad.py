"""Exact match and F1 are SQuAD's: values by hand from its rules, and a plain restatement of its script."""

from __future__ import annotations

import math
import re
import string
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as some

from workbench.tasks.squad import exact_match, f1, normalised

NORMALISED = [
    ("The Cat", "cat"),
    ("a  an\tthe\nTHE", ""),
    ("theatre and banana", "theatre and banana"),
    ("The-end", "theend"),
    ("U.S.A.", "usa"),
    ("“The” cat", "“ ” cat"),
    ("rock’n’roll", "rock’n’roll"),
    ("l'été", "lété"),
    ("a.b", "ab"),
    ("$1,000.50!", "100050"),
    ("ÀÉÎ", "àéî"),
    ("non\u00a0breaking", "non breaking"),
    ("", ""),
    ("?!.", ""),
    ("an_the", "anthe"),
    ("中 a 文", "中 文"),
]
"""ASCII punctuation goes first, then articles that are whole words, then blanks; other punctuation stays."""


@pytest.mark.parametrize(("text", "expected"), NORMALISED)
def test_a_text_is_normalised_as_in_the_script(text: str, expected: str) -> None:
    assert normalised(text) == expected


FIXTURES = [
    ("Paris", ["Paris"], 1, 1),
    ("the Paris!", ["paris"], 1, 1),
    ("Lyon", ["Paris"], 0, 0),
    ("in Paris", ["Paris"], 0, 2 / 3),
    ("Paris", ["in the city of Paris"], 0, 2 / 5),
    ("New York City", ["New York"], 0, 4 / 5),
    ("York New", ["New York"], 0, 1),
    ("cat cat cat", ["cat"], 0, 1 / 2),
    ("cat cat", ["cat dog cat"], 0, 4 / 5),
    ("to be or not to be", ["to be"], 0, 1 / 2),
    ("Oslo", ["Rome", "Oslo", "Oslo, Norway"], 1, 1),
    ("in Oslo", ["Rome", "Oslo", "in Oslo, Norway"], 0, 4 / 5),
    ("", [], 1, 1),
    ("Oslo", [], 0, 0),
    ("", ["Oslo"], 0, 0),
    ("the", ["Oslo"], 0, 0),
    ("the", [], 1, 1),
    ("a", ["the"], 1, 1),
    ("Oslo", ["the"], 0, 0),
    ("", ["the", "Oslo"], 0, 0),
    ("Oslo", ["...", "oslo"], 1, 1),
    ("“Oslo”", ["Oslo"], 0, 0),
    ("“Oslo” fjord", ["Oslo fjord"], 0, 1 / 2),
    ("1,000 men", ["1000 men"], 1, 1),
    ("twenty-one", ["twenty one"], 0, 0),
    ("The Beatles' album", ["Beatles album"], 1, 1),
    ("été", ["Été"], 1, 1),
    ("a b c d", ["b c x y z"], 0, 1 / 2),
]
"""Said, right answers, exact match, F1: 2pr / (p + r) of the words, by hand."""


@pytest.mark.parametrize(("said", "golds", "exact", "overlap"), FIXTURES)
def test_measures_are_those_of_the_rules(said: str, golds: list[str], exact: float, overlap: float) -> None:
    assert exact_match(said, golds) == exact
    assert math.isclose(f1(said, golds), overlap, rel_tol=0, abs_tol=1e-9)


def script_normalise(text: str) -> str:
    """Restate the script: small letters, characters of `string.punctuation` out, articles to a blank, blanks joined."""
    without = "".join(char for char in text.lower() if char not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", without).split())


def script_f1(gold: str, said: str) -> float:
    one, other = script_normalise(gold).split(), script_normalise(said).split()
    if len(one) == 0 or len(other) == 0:
        return int(one == other)
    same = sum(min(count, Counter(other)[word]) for word, count in Counter(one).items())
    if same == 0:
        return 0
    precision, recall = 1.0 * same / len(other), 1.0 * same / len(one)
    return (2 * precision * recall) / (precision + recall)


WORDS = some.sampled_from(["a", "an", "the", "The", "cat", "Cat", "dog.", "(dog)", "“cat”", "é", "-", "cat-dog", "A."])
TEXTS = some.lists(WORDS, max_size=7).map(" ".join) | some.text(max_size=12)


@given(TEXTS, some.lists(TEXTS, max_size=4))
def test_measures_are_those_of_the_script_on_anything(said: str, golds: list[str]) -> None:
    right = [gold for gold in golds if script_normalise(gold)] or [""]
    assert exact_match(said, golds) == max(int(script_normalise(gold) == script_normalise(said)) for gold in right)
    assert math.isclose(f1(said, golds), max(script_f1(gold, said) for gold in right), rel_tol=0, abs_tol=1e-9)
