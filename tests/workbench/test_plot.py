"""A chart hides no spike, closes no gap and loses no dot."""

from __future__ import annotations

import math

import pytest

from tests.screens.support import golden
from workbench.chart.plot import Chart, Series, plot, smooth, sparkline
from workbench.chart.ticks import Axis, nice_step, ticks

STEPS = list(range(1700))
TRAIN: list[float | None] = [0.18 + 0.6 * math.exp(-i / 300) + 0.03 * math.sin(i * 12.9898) for i in STEPS]
EVAL: list[float | None] = [0.21 + 0.55 * math.exp(-i / 320) for i in STEPS[::100]]
BOTH = (Series("train", STEPS, TRAIN, "series-1"), Series("eval", STEPS[::100], EVAL, "series-2", "dashed"))


def styles(chart: Chart) -> set[str]:
    return {style for row in chart.rows for _, style in row}


@pytest.mark.parametrize("size", [(80, 16), (120, 24), (24, 5)])
def test_two_curves(size: tuple[int, int]) -> None:
    chart = plot(BOTH, *size, x_label="step")
    golden(f"plot-curves-{size[0]}x{size[1]}", chart.text())
    assert len(chart.rows) == size[1]
    assert all(sum(len(text) for text, _ in row) == size[0] for row in chart.rows)
    assert {"series-1", "series-2", "axis", "label"} <= styles(chart)


def test_log_axis() -> None:
    values = [10 ** (-i / 400) for i in STEPS]
    chart = plot([Series("loss", STEPS, values)], 80, 16, log_y=True)
    golden("plot-log-80x16", chart.text())
    assert chart.log_y
    assert not chart.note


def test_log_axis_without_logarithm_is_linear_and_says_so() -> None:
    chart = plot([Series("gap", [0, 1, 2], [0.5, 0.0, 1.0])], 40, 8, log_y=True)
    assert not chart.log_y
    assert "no logarithm" in chart.note


def test_ascii_alone_where_asked_for() -> None:
    chart = plot(BOTH, 80, 16, symbols="ascii")
    golden("plot-ascii-80x16", chart.text())
    assert chart.text().isascii()


@pytest.mark.parametrize("at", [0, 1, 4999, 5003, 9999])
def test_one_spike_in_ten_thousand_points_reaches_the_top(at: int) -> None:
    values: list[float | None] = [0.0] * 10_000
    values[at] = 1.0
    top = plot([Series("loss", list(range(10_000)), values)], 80, 12).rows[0]
    assert any(char > "\u2800" for text, style in top if style == "series-1" for char in text)


def test_a_gap_is_left_open_and_counted() -> None:
    values: list[float | None] = [1.0] * 40 + [None] * 10 + [math.nan] * 9 + [math.inf] + [1.0] * 40
    chart = plot([Series("loss", list(range(100)), values)], 60, 5)
    golden("plot-gap-60x5", chart.text())
    assert chart.gaps == 20
    assert chart.note == "20 not finite"


def test_a_lone_point_and_a_flat_line_are_seen() -> None:
    golden("plot-lone-40x7", plot([Series("eval", [5], [3.0])], 40, 7).text())
    golden("plot-flat-40x7", plot([Series("lr", [0, 1, 2], [2e-5] * 3)], 40, 7).text())


def test_dots_of_curves_that_meet_are_united() -> None:
    one = Series("a", [0, 1], [0.0, 1.0], "series-1")
    two = Series("b", [0, 1], [1.0, 0.0], "series-2")

    def dots(chart: Chart) -> list[int]:
        return [
            ord(c) - 0x2800 if "\u2800" < c <= "\u28ff" else 0 for row in chart.rows for text, _ in row for c in text
        ]

    apart = [dots(plot([line], 40, 10)) for line in (one, two)]
    assert dots(plot([one, two], 40, 10)) == [a | b for a, b in zip(*apart, strict=True)]


def test_points_outside_a_given_range_are_counted_and_not_drawn() -> None:
    chart = plot([Series("loss", [0, 1, 2, 3], [0.1, 0.2, 1e12, 0.1])], 40, 8, y_range=(0.0, 1.0))
    assert chart.outside == 1
    assert chart.y_range == (0.0, 1.0)


def test_steps_out_of_order_are_sorted() -> None:
    forth = plot([Series("a", [0, 1, 2], [0.0, 5.0, 1.0])], 40, 8)
    back = plot([Series("a", [2, 0, 1], [1.0, 0.0, 5.0])], 40, 8)
    assert forth.text() == back.text()


@pytest.mark.parametrize("values", [[], [None, math.nan], [None]])
def test_nothing_to_draw_is_said(values: list[float | None]) -> None:
    chart = plot([Series("loss", list(range(len(values))), values)], 40, 6)
    assert "no points yet" in chart.text()
    assert chart.gaps == len(values)


@pytest.mark.parametrize("size", [(0, 0), (1, 1), (3, 2), (8, 1), (200, 2), (1, 50)])
@pytest.mark.parametrize("values", [[1e308, -1e308], [1e-320, 2e-320], [0.0, 0.0], [-1e300, 1e-300]])
def test_any_size_and_any_number_draws(size: tuple[int, int], values: list[float]) -> None:
    for log_y in (False, True):
        chart = plot([Series("x", [0, 10**9], values)], *size, log_y=log_y)
        assert all(sum(len(text) for text, _ in row) == size[0] for row in chart.rows)


def test_smoothing_starts_at_the_first_value_and_skips_gaps() -> None:
    assert smooth([1.0, None, 3.0], 0.5) == [1.0, None, pytest.approx(7 / 3)]
    assert smooth([1.0, 2.0], 0) == [1.0, 2.0]
    assert smooth([4.0] * 5, 0.9) == [pytest.approx(4.0)] * 5


def test_sparkline_is_as_wide_as_asked_and_keeps_the_peak() -> None:
    assert sparkline([0.0, 1.0, 2.0, 3.0], 2, 0.0, 4.0) == "⣠⣾"
    assert len(sparkline([0.0] * 500 + [1.0] + [0.0] * 500, 8)) == 8
    assert sparkline([], 5) == "     "
    assert sparkline([0.0] * 500 + [1.0] + [0.0] * 499, 8, 0, 1, "ascii").count("#") == 1
    assert sparkline([None, 2.0], 3).rstrip() != ""


def test_ticks_are_round() -> None:
    assert [nice_step(length, 5) for length in (1.0, 0.8, 12_630, 3e-5)] == pytest.approx([0.2, 0.2, 5000, 1e-5])
    assert [label for _, label in ticks(Axis(0, 12_630), 5)] == ["0", "5 000", "10 000"]
    assert [label for _, label in ticks(Axis(0.1, 0.8), 4)] == ["0.2", "0.4", "0.6", "0.8"]
    assert [label for _, label in ticks(Axis(1e-6, 1.0, log=True), 4)] == ["1e-06", "1e-04", "0.01", "1"]


def test_a_lone_point_stands_out_of_the_curve_it_lies_on() -> None:
    train = Series("train", list(range(100)), [1.0] * 100, "series-1")
    chart = plot([Series("eval", [50], [1.0], "series-2", "dashed"), train], 60, 5)
    assert [text for row in chart.rows for text, style in row if style == "series-2" and text.strip()] == ["⣿"]


def test_equal_ratios_are_equal_distances_on_a_logarithmic_x_axis() -> None:
    series = [Series("", [10, 100, 1000], [0.0, 1.0, 2.0])]
    drawn = plot(series, 47, 9, log_x=True).text()
    labels = drawn.splitlines()[-1]
    places = [labels.index(text) + len(text) / 2 for text in ("10 ", "100", "1 000")]
    assert places[1] - places[0] == pytest.approx(places[2] - places[1], abs=3)
    axis = Axis(10, 1000, log=True)
    assert [axis.at(axis.place(value)) for value in (10, 50, 1000)] == pytest.approx([10, 50, 1000])
    below = plot([Series("", [0, 100], [0.0, 1.0])], 40, 8, log_x=True)
    assert below.rows == plot([Series("", [0, 100], [0.0, 1.0])], 40, 8).rows
