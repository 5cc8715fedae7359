"""Points: what comes back is what was logged, and the summaries are those of a plain computation."""

from __future__ import annotations

import math
import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as some

from store import points
from store.connection import Store
from store.points import Summary
from tests.store.support import add_run

values = some.floats(allow_nan=True, allow_infinity=True, width=32)
batches = some.lists(some.lists(values, min_size=1, max_size=6), min_size=1, max_size=6)


def log(store: Store, run_id: int, rows: list[tuple[int, float]], metric: str = "train/loss") -> None:
    with store.write() as connection:
        points.append(connection, run_id, [(metric, step, 100.0 + step, value) for step, value in rows], {})


def numbered(parts: list[list[float]]) -> list[list[tuple[int, float]]]:
    step, found = 0, []
    for part in parts:
        found.append([(step + offset, value) for offset, value in enumerate(part)])
        step += len(part)
    return found


def plain_summary(rows: list[tuple[int, float]]) -> Summary:
    """Compute a summary in the plainest way; the mean of infinities of both signs is not a number."""
    known = [(step, value) for step, value in rows if not math.isnan(value)]
    low = min(known, key=lambda row: row[1], default=(None, None))
    high = max(known, key=lambda row: row[1], default=(None, None))
    mean = sum(value for _, value in known) / len(known) if known else None
    last_step, last = rows[-1]
    return Summary(
        None if math.isnan(last) else last, last_step, low[1], low[0], high[1], high[0],
        None if mean is None or math.isnan(mean) else mean, len(rows), len(rows) - len(known),
    )  # fmt: skip


def same(found: Summary, expected: Summary) -> bool:
    one, other = found.mean, expected.mean
    means = one == other if one is None or other is None else math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-30)
    near_zero = (
        one is not None
        and other is not None
        and abs(one - other) <= 1e-12 * max(abs(expected.max or 0), abs(expected.min or 0))
    )
    return (means or near_zero) and vars(found) | {"mean": 0} == vars(expected) | {"mean": 0}


@given(parts=batches)
@example(parts=[[0.0], [math.inf, -math.inf], [math.nan], [1.0]])
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_summaries_are_those_of_a_plain_computation(store: Store, parts: list[list[float]]) -> None:
    run_id = add_run(store)
    for part in numbered(parts):
        log(store, run_id, part)
    expected = plain_summary([row for part in numbered(parts) for row in part])
    live = points.summaries(store, [run_id])[run_id]["train/loss"]
    assert same(live, expected), (live, expected)
    points.pack(store, run_id)
    packed = points.summaries(store, [run_id])[run_id]["train/loss"]
    assert same(packed, expected), (packed, expected)


@given(parts=batches)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_packed_curve_is_that_of_the_points(store: Store, parts: list[list[float]]) -> None:
    run_id = add_run(store)
    rows = [row for part in numbered(parts) for row in part]
    log(store, run_id, rows)
    expected = [step for step, _ in rows], [None if math.isnan(value) else value for _, value in rows]
    assert points.curve(store, run_id, "train/loss") == expected
    points.pack(store, run_id)
    assert points.curve(store, run_id, "train/loss") == expected
    assert points.curve(store, run_id, "train/loss", after=0) == (expected[0][1:], expected[1][1:])
    points.unpack(store, run_id)
    assert points.curve(store, run_id, "train/loss") == expected


def test_a_step_logged_again_takes_the_place_of_the_first(store: Store) -> None:
    run_id = add_run(store)
    log(store, run_id, [(1, 9.0), (2, 8.0), (3, 7.0)])
    log(store, run_id, [(2, 1.0), (3, 2.0)])
    assert points.curve(store, run_id, "train/loss") == ([1, 2, 3], [9.0, 1.0, 2.0])
    points.pack(store, run_id)
    summary = points.summaries(store, [run_id])[run_id]["train/loss"]
    assert summary == plain_summary([(1, 9.0), (2, 1.0), (3, 2.0)])


def test_the_first_step_of_an_extreme_is_kept(store: Store) -> None:
    run_id = add_run(store)
    log(store, run_id, [(1, 5.0), (2, 5.0)])
    log(store, run_id, [(3, 5.0)])
    summary = points.summaries(store, [run_id])[run_id]["train/loss"]
    assert (summary.min_step, summary.max_step, summary.last_step) == (1, 1, 3)


@pytest.mark.parametrize("extremes", [(math.inf, -math.inf), (1.5e308, 1.5e308)])
def test_values_without_a_mean_are_logged_all_the_same(store: Store, extremes: tuple[float, float]) -> None:
    run_id = add_run(store)
    log(store, run_id, [(1, extremes[0]), (2, extremes[1]), (3, 1.0)])
    assert points.curve(store, run_id, "train/loss") == ([1, 2, 3], [*extremes, 1.0])
    summary = points.summaries(store, [run_id])[run_id]["train/loss"]
    assert (summary.min, summary.max, summary.last) == (min(*extremes, 1.0), max(extremes), 1.0)


def test_runs_and_metrics_do_not_mix(store: Store) -> None:
    one, other = add_run(store), add_run(store)
    log(store, one, [(1, 1.0)], "eval/loss")
    log(store, one, [(1, 2.0)], "train/loss")
    log(store, other, [(1, 3.0)], "eval/loss")
    assert points.curve(store, one, "eval/loss") == ([1], [1.0])
    assert points.curve(store, other, "train/loss") == ([], [])
    found = points.summaries(store, [one, other])
    assert {run: sorted(table) for run, table in found.items()} == {
        one: ["eval/loss", "train/loss"], other: ["eval/loss"],
    }  # fmt: skip


@pytest.mark.parametrize("value", [math.inf, -math.inf, 5e-324, 1.7976931348623157e308, 1 / 3])
def test_a_value_comes_back_to_the_last_bit(store: Store, path: Path, value: float) -> None:
    run_id = add_run(store)
    log(store, run_id, [(2**40, value)])
    with store.write() as connection:
        assert repr(points.value_at(connection, run_id, "train/loss", 2**40)) == repr(value)


def test_a_point_of_no_run_is_refused(store: Store) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        log(store, 404, [(1, 1.0)])
    assert store.query("SELECT * FROM point") == []
