"""The order of batches: a pure function of lengths, seed and epoch, so that resuming needs no saved order."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from math import ceil

POOL = 50
"""Batches sorted together by length: large enough for little padding, small enough to stay well mixed."""


def seen_rows(rows: int, weight: float) -> int:
    """Return how many rows of a set an epoch sees: its rows times its weight, at least one."""
    return max(1, round(rows * weight)) if rows else 0


def plan_rows(sets: Sequence[Sequence[int]], weights: Sequence[float], seed: int, epoch: int) -> list[int]:
    """Return the rows that an epoch sees of several sets (their rows' numbers), each set as often as its weight says.

    A row that is seen again has its number plus the number of all rows, then twice that, and so on. What is not a whole
    pass goes on, epoch by epoch, through the set in a shuffled order: after any number of epochs no row of a set was
    seen twice more than another.
    """
    total, seen = sum(map(len, sets)), list[int]()
    for place, (numbers, weight) in enumerate(zip(sets, weights, strict=True)):
        passes, rest = divmod(seen_rows(len(numbers), weight), len(numbers) or 1)
        for copy in range(passes):
            seen += [copy * total + number for number in numbers] if copy else numbers
        if rest:
            order = list(numbers)
            random.Random(f"weight {seed} {place}").shuffle(order)
            seen += [passes * total + order[(epoch * rest + nth) % len(order)] for nth in range(rest)]
    return seen


def plan_batches(lengths: Sequence[int], batch_size: int, seed: int, epoch: int, by_length: bool) -> list[list[int]]:
    """Return the batches (lists of example numbers) of one epoch; every example stands in exactly one.

    With `by_length`, shuffled pools of 50 batches are sorted by length before they are cut, so that a batch
    holds texts of like length; the batches are then shuffled again.
    """
    shuffle = random.Random(f"order {seed} {epoch}")
    order = list(range(len(lengths)))
    shuffle.shuffle(order)
    if not by_length:
        return _cut(order, batch_size)
    batches: list[list[int]] = []
    for start in range(0, len(order), batch_size * POOL):
        pool = sorted(order[start : start + batch_size * POOL], key=lambda number: (lengths[number], number))
        batches += _cut(pool, batch_size)
    shuffle.shuffle(batches)
    return batches


def plan_windows(
    lengths: Sequence[int], batch_size: int, accumulation: int, seed: int, epoch: int, by_length: bool
) -> list[list[list[int]]]:
    """Return the batches of one epoch in windows of `accumulation`, one window an update; one may be shorter.

    An update has the same examples whether they are one large batch or several that are added up.
    """
    updates = plan_batches(lengths, batch_size * accumulation, seed, epoch, by_length)
    return [_cut(update, batch_size) for update in updates]


def updates_per_epoch(examples: int, batch_size: int, accumulation: int) -> int:
    """Return how many updates one pass over the examples takes."""
    return ceil(ceil(examples / batch_size) / accumulation)


def default_evaluation(per_epoch: int, update_rows: int, validation_rows: int) -> int:
    """Return the updates between evaluations where the recipe leaves it open.

    Four times an epoch; seldomer where that would evaluate more rows than are trained on between, but once an epoch.
    """
    return max(1, min(per_epoch, max(per_epoch // 4, ceil(validation_rows / update_rows))))


def sample(count: int, wanted: int | None, seed: int) -> list[int]:
    """Return `wanted` random numbers below `count` in ascending order, or all of them."""
    if wanted is None or wanted >= count:
        return list(range(count))
    return sorted(random.Random(f"rows {seed}").sample(range(count), wanted))


def sample_each(labels: Sequence[Sequence[str]], wanted: int, seed: int) -> list[int]:
    """Return the numbers of random rows in ascending order: `wanted` of each label, or all where there are fewer.

    `labels` are those of each row; a row without any has one of its own, called none. Where rows have several labels, a
    row is taken that has one of which rows are wanting still.
    """
    order = list(range(len(labels)))
    random.Random(f"each {seed}").shuffle(order)
    counts: Counter[str | None] = Counter()
    taken = []
    for number in order:
        own: Sequence[str | None] = labels[number] or [None]
        if any(counts[label] < wanted for label in own):
            counts.update(own)
            taken.append(number)
    return sorted(taken)


def split(count: int, share: float, seed: int) -> tuple[list[int], list[int]]:
    """Return the numbers below `count` as (train, validation), `share` of them, at least one, in validation."""
    order = list(range(count))
    random.Random(f"split {seed}").shuffle(order)
    cut = max(1, round(count * share))
    return sorted(order[cut:]), sorted(order[:cut])


def _cut(order: Sequence[int], batch_size: int) -> list[list[int]]:
    return [list(order[start : start + batch_size]) for start in range(0, len(order), batch_size)]
