"""Pairs of texts whose sides are mixed up, are the same, or do not fit in length."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from workbench.data.findings import Finding, warning
from workbench.text import plural

EXAMINED = 20_000
"""Pairs that are looked at, evenly taken from all."""

LEAST = 50
"""Pairs below which nothing can be told of the two languages."""

MARGIN = 5.0
"""How many nats the sides must be likelier when exchanged."""

READ = 100
"""Characters of a text that are looked at."""

UNLIKE = 4.0
"""How far the length of a pair may be from what is usual, as a factor."""

Pair = tuple[int, str, str]
"""The row of a pair in its file, and its two sides."""


def side_findings(pairs: Sequence[Pair]) -> Iterator[Finding]:
    """Yield pairs that are swapped, the same on both sides, or much longer on one side than is usual."""
    pairs = pairs[:: max(1, len(pairs) // EXAMINED)]
    same = [row for row, one, other in pairs if one.strip() == other.strip()]
    if same:
        what = f"{plural(len(same), 'row')}: the same text on both sides"
        yield warning("same-sides", what, same, "They teach to copy: remove them if that is not meant.")
    swapped = swapped_rows(pairs)
    if swapped:
        what = f"{plural(len(swapped), 'row')}: the two sides seem to be exchanged"
        yield warning("swapped-sides", what, swapped, "Put source and target in the right columns.")
    unlike = unlike_rows(pairs)
    if unlike:
        what = f"{plural(len(unlike), 'row')}: sides whose lengths do not fit each other"
        yield warning("unlike-sides", what, unlike, "Is the target another sentence, or cut off?")


def swapped_rows(pairs: Sequence[Pair]) -> list[int]:
    """Return the rows whose sides are likelier the other way round, judged by the characters of all others.

    The likelihood is that of a naive Bayes model of trigrams with add-one smoothing; a pair is left out of the counts
    by which it is judged.
    """
    if len(pairs) < LEAST:
        return []
    sides = [[one for _, one, _ in pairs], [other for _, _, other in pairs]]
    counts = [Counter(trigram for text in side for trigram in _trigrams(text)) for side in sides]
    kinds = len(counts[0] | counts[1])
    totals = [counts[0].total() + kinds, counts[1].total() + kinds]

    def leaning(text: str, own: int) -> float:
        """Return how much likelier a text is on its own side than on the other, in nats."""
        score = 0.0
        for trigram in _trigrams(text):
            mine, theirs = counts[own][trigram] - 1, counts[1 - own][trigram]
            score += math.log((mine + 1) / totals[own]) - math.log((theirs + 1) / totals[1 - own])
        return score

    return [row for row, one, other in pairs if leaning(one, 0) < -MARGIN and leaning(other, 1) < -MARGIN]


def unlike_rows(pairs: Sequence[Pair]) -> list[int]:
    """Return the rows whose ratio of lengths is far from the median ratio; short texts are left alone."""
    ratios = sorted(len(other) / len(one) for _, one, other in pairs if one and other)
    if not ratios:
        return []
    usual = ratios[len(ratios) // 2]
    return [
        row
        for row, one, other in pairs
        if max(len(one), len(other)) > 20 and not usual / UNLIKE <= len(other) / max(1, len(one)) <= usual * UNLIKE
    ]


def _trigrams(text: str) -> Iterable[str]:
    padded = f" {text[:READ].lower()} "
    return {padded[start : start + 3] for start in range(len(padded) - 2)}
