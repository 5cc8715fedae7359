"""The order of batches: a pure function of lengths, seed and epoch, so that resuming needs no saved order."""

from __future__ import annotations

import random
from collections.abc import Sequence
from math import ceil

POOL = 50
"""Batches sorted together by length: large enough for little padding, small enough to stay well mixed."""


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


def plan_windows(batches: Sequence[list[int]], accumulation: int) -> list[list[list[int]]]:
    """Return the batches in windows of `accumulation`, one window an update; the last may be shorter."""
    return [list(batches[start : start + accumulation]) for start in range(0, len(batches), accumulation)]


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


def split(count: int, share: float, seed: int) -> tuple[list[int], list[int]]:
    """Return the numbers below `count` as (train, validation), `share` of them, at least one, in validation."""
    order = list(range(count))
    random.Random(f"split {seed}").shuffle(order)
    cut = max(1, round(count * share))
    return sorted(order[cut:]), sorted(order[:cut])


def _cut(order: Sequence[int], batch_size: int) -> list[list[int]]:
    return [list(order[start : start + batch_size]) for start in range(0, len(order), batch_size)]
