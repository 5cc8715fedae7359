"""The order of batches is a pure function of lengths, seed and epoch, and wastes little."""

from __future__ import annotations

import itertools
import random
from itertools import chain

from hypothesis import given, settings
from hypothesis import strategies as some

from workbench.data.batching import plan_batches, plan_windows, sample, split, updates_per_epoch

lengths_of = some.lists(some.integers(1, 50), max_size=300)


@given(lengths=lengths_of, size=some.integers(1, 40), seed=some.integers(0, 9), by_length=some.booleans())
@settings(max_examples=60, deadline=None)
def test_every_example_stands_in_one_batch_once(lengths: list[int], size: int, seed: int, by_length: bool) -> None:
    batches = plan_batches(lengths, size, seed, 3, by_length)
    assert sorted(number for batch in batches for number in batch) == list(range(len(lengths)))
    assert batches == plan_batches(lengths, size, seed, 3, by_length)
    assert all(0 < len(batch) <= size for batch in batches)
    assert len([batch for batch in batches if len(batch) < size]) <= 1
    windows = plan_windows(lengths, size, 3, seed, 3, by_length)
    assert sorted(number for window in windows for batch in window for number in batch) == list(range(len(lengths)))
    assert all(0 < len(batch) <= size for window in windows for batch in window)
    assert len(windows) == updates_per_epoch(len(lengths), size, 3)


@given(lengths=lengths_of, size=some.integers(1, 8), parts=some.integers(1, 6), by_length=some.booleans())
@settings(max_examples=60, deadline=None)
def test_an_update_has_the_same_examples_however_many_batches_it_is_cut_into(
    lengths: list[int], size: int, parts: int, by_length: bool
) -> None:
    large = plan_windows(lengths, size * parts, 1, 1, 0, by_length)
    small = plan_windows(lengths, size, parts, 1, 0, by_length)
    assert [list(chain(*window)) for window in small] == [list(chain(*window)) for window in large]
    assert [len(window) for window in small[:-1] if len(window) > parts] == []


def test_another_seed_or_epoch_gives_another_order() -> None:
    lengths = [1 + number % 30 for number in range(400)]
    orders = {str(plan_batches(lengths, 8, seed, epoch, True)) for seed in (1, 2) for epoch in (0, 1)}
    assert len(orders) == 4


def test_the_order_does_not_hang_on_the_process_or_its_random_state() -> None:
    random.seed(1)
    first = plan_batches([3, 1, 2, 5, 4], 2, 42, 0, False)
    random.seed(2)
    assert plan_batches([3, 1, 2, 5, 4], 2, 42, 0, False) == first == [[3, 1], [2, 0], [4]]


def test_batches_by_length_pad_far_less_than_random_ones() -> None:
    chance = random.Random(1)
    lengths = [max(1, int(chance.lognormvariate(3, 0.6))) for _ in range(3000)]

    def padded(by_length: bool) -> int:
        batches = plan_batches(lengths, 16, 1, 0, by_length)
        return sum(max(lengths[number] for number in batch) * len(batch) for batch in batches) - sum(lengths)

    assert padded(True) < padded(False) / 5
    inside = [[lengths[number] for number in batch] for batch in plan_batches(lengths, 16, 1, 0, True)]
    assert all(batch == sorted(batch) for batch in inside)


def test_batches_by_length_are_not_in_the_order_of_their_lengths() -> None:
    lengths = list(range(1, 801))
    longest = [max(lengths[number] for number in batch) for batch in plan_batches(lengths, 8, 1, 0, True)]
    rising = sum(after > before for before, after in itertools.pairwise(longest))
    assert 25 <= rising <= 75


@given(count=some.integers(2, 500), share=some.floats(0.01, 0.99), seed=some.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_a_split_takes_each_row_once_and_at_least_one_aside(count: int, share: float, seed: int) -> None:
    train, held_out = split(count, share, seed)
    assert sorted(train + held_out) == list(range(count))
    assert len(held_out) == max(1, round(count * share))
    assert (train, held_out) == split(count, share, seed)


def test_a_sample_is_of_the_size_asked_and_of_that_seed() -> None:
    assert len(set(sample(100, 10, 1))) == 10
    assert sample(100, 10, 1) == sorted(sample(100, 10, 1)) != sample(100, 10, 2)
    assert sample(3, None, 1) == sample(3, 3, 1) == sample(3, 9, 1) == [0, 1, 2]
