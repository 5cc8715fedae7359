"""Series become rows of braille: no spike hidden, no dot lost, gaps left open. No widget, no numpy."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import le
from typing import Literal, cast

from workbench.chart.braille import Canvas, Symbols, sparkline
from workbench.chart.ticks import Axis, nice_range, ticks

__all__ = ["ASCII_MARKS", "Chart", "Series", "Symbols", "plot", "smooth", "sparkline"]

Segments = list[tuple[str, str]]
Range = tuple[float, float]

AXIS, LABEL = "axis", "label"
ASCII_MARKS = "*+ox#@"
_DASHES = {"solid": (1, 1), "dashed": (5, 3), "dotted": (3, 1)}  # period and how much of it is drawn, in pixel columns


@dataclass(frozen=True)
class Series:
    """One line of a chart: `values` at `steps`; None and NaN are gaps. `style` names a style, `dash` tells it apart."""

    label: str
    steps: Sequence[float]
    values: Sequence[float | None]
    style: str = "series-1"
    dash: Literal["solid", "dashed", "dotted"] = "solid"


@dataclass(frozen=True)
class Chart:
    """A drawn chart: `rows` of (text, style name), `gutter` columns of y labels, and what the drawing leaves out.

    `gaps` counts points that are not finite, `outside` those beyond a given range; `log_y` says what was really drawn.
    """

    rows: list[Segments]
    gutter: int = 0
    x_range: Range = (0.0, 0.0)
    y_range: Range = (0.0, 0.0)
    log_y: bool = False
    gaps: int = 0
    outside: int = 0
    note: str = ""

    def text(self) -> str:
        """Return the rows as plain text, for commands and golden pictures."""
        return "\n".join("".join(text for text, _ in row).rstrip() for row in self.rows)


@dataclass(frozen=True)
class _Line:
    """A series cleaned: runs of finite points in order of step, each with its steps and values."""

    runs: list[tuple[Sequence[float], Sequence[float]]]
    gaps: int

    @property
    def values(self) -> Iterable[Sequence[float]]:
        return (values for _, values in self.runs)


def plot(
    series: Sequence[Series],
    width: int,
    height: int,
    *,
    log_x: bool = False,
    log_y: bool = False,
    x_label: str = "",
    x_range: Range | None = None,
    y_range: Range | None = None,
    symbols: Symbols = "braille",
) -> Chart:
    """Draw `series` into `width` by `height` cells, the last row being the x axis.

    Every pixel column shows the least and the greatest of its values. A log axis needs values above 0: where there
    are others the axis is linear, and `note` says so of the y axis.
    """
    lines = [_clean(one) for one in series]
    gaps = sum(line.gaps for line in lines)
    if width < 1 or height < 1:
        return Chart([])
    if not any(line.runs for line in lines):
        return _empty(width, height, gaps)
    low, high = _extent(values for line in lines for values in line.values)
    lowest = min(low, y_range[0]) if y_range else low
    refused = log_y and lowest <= 0
    log_y = log_y and not refused
    y_span = nice_range(*(y_range or (low, high)), rounded=y_range is None, log=log_y)
    x_span = x_range or _extent(steps for line in lines for steps, _ in line.runs)
    x_axis = Axis(*x_span, log=log_x and 0 < x_span[0] < x_span[1])
    chart = _draw(lines, series, (width, height), x_axis, Axis(*y_span, log=log_y), x_label, symbols)
    outside = _count_outside(lines, y_span, x_span) if x_range or y_range else 0
    note = _note(gaps, outside, f"linear axis: {lowest:.3g} has no logarithm" if refused else "")
    return Chart(*chart, x_span, y_span, log_y, gaps, outside, note)


def _clean(series: Series) -> _Line:
    """Part a series into runs of finite points; the common case, nothing missing and steps in order, costs no loop."""
    steps, values = series.steps, series.values
    n = min(len(steps), len(values))
    steps, values = steps[:n], values[:n]
    if not n:
        return _Line([], 0)
    if None not in values:
        known = cast(Sequence[float], values)
        if math.isfinite(sum(known)) and math.isfinite(sum(steps)) and all(map(le, steps, steps[1:])):
            return _Line([(steps, known)], 0)
    points = sorted(
        ((s, v) for s, v in zip(steps, values, strict=True) if math.isfinite(s)), key=lambda point: point[0]
    )
    runs: list[tuple[list[float], list[float]]] = [([], [])]
    gaps = n - len(points)
    for step, value in points:
        if value is None or not math.isfinite(value):
            gaps += 1
            if runs[-1][0]:
                runs.append(([], []))
        else:
            runs[-1][0].append(step)
            runs[-1][1].append(value)
    return _Line([(known, found) for known, found in runs if known], gaps)


def _extent(parts: Iterable[Sequence[float]]) -> Range:
    """Return the least and greatest of all parts."""
    both = [(min(part), max(part)) for part in parts]
    return min(low for low, _ in both), max(high for _, high in both)


def _count_outside(lines: list[_Line], y: Range, x: Range) -> int:
    """Count finite points that the given ranges leave out."""
    seen_x, seen_y = (
        _extent(steps for line in lines for steps, _ in line.runs),
        _extent(v for line in lines for v in line.values),
    )
    if x[0] <= seen_x[0] and seen_x[1] <= x[1] and y[0] <= seen_y[0] and seen_y[1] <= y[1]:
        return 0
    return sum(
        not (y[0] <= value <= y[1] and x[0] <= step <= x[1])
        for line in lines
        for steps, values in line.runs
        for step, value in zip(steps, values, strict=True)
    )


def _note(gaps: int, outside: int, refused: str) -> str:
    """Say in words what the picture cannot show."""
    told = (f"{gaps} not finite" if gaps else "", f"{outside} outside" if outside else "", refused)
    return " · ".join(part for part in told if part)


def _empty(width: int, height: int, gaps: int) -> Chart:
    """Return a chart that says that there is nothing to draw."""
    said = f"no points yet: {gaps} not finite" if gaps else "no points yet"
    rows: list[Segments] = [[(" " * width, "")] for _ in range(height)]
    rows[(height - 1) // 2] = [(said[:width].center(width), LABEL)]
    return Chart(rows, gaps=gaps, note=_note(gaps, 0, ""))


def _draw(
    lines: list[_Line],
    series: Sequence[Series],
    size: tuple[int, int],
    x: Axis,
    y: Axis,
    x_label: str,
    symbols: Symbols,
) -> tuple[list[Segments], int]:
    """Return the rows and the width of the gutter."""
    width, height = size
    rows = max(1, height - 1)
    dots = (2, 4) if symbols == "braille" else (1, 1)
    down = y.scale(rows * dots[1] - 1, flipped=True)
    labels = {down(at) // dots[1]: text for at, text in ticks(y, max(2, (rows + 1) // 3))}
    gutter = max(map(len, labels.values()), default=0) + 2
    if width < gutter + 8:  # too narrow for labels: the curve is worth more
        labels, gutter = {}, 0
    canvas = Canvas(width - gutter, rows, dots)
    for owner, (line, one) in enumerate(zip(lines, series, strict=True), 1):
        for steps, values in line.runs:
            _trace(canvas, steps, values, x, y, owner, one.dash if symbols == "braille" else "solid")
    for owner, line in enumerate(lines, 1):
        _mark_lone(canvas, line, x, y, owner)
    styles = ["", *(one.style for one in series)]
    drawn: list[Segments] = []
    for row in range(rows):
        label = labels.get(row, "")
        edge = ("┤" if label else "│") if symbols == "braille" else ("+" if label else "|")
        head: Segments = [(label.rjust(gutter - 2) + " ", LABEL), (edge, AXIS)] if gutter else []
        drawn.append(head + _paint(canvas.bits[row], canvas.owner[row], styles, symbols))
    if height > 1:
        drawn.append([(_x_row(x, width, gutter, x_label), LABEL)])
    return drawn, gutter


def _paint(bits: bytearray, owner: bytearray, styles: list[str], symbols: Symbols) -> Segments:
    """Return one row of cells as segments of one style each."""
    if symbols == "braille":
        text = "".join([chr(0x2800 + mask) if mask else " " for mask in bits])
    else:
        text = "".join([ASCII_MARKS[(who - 1) % len(ASCII_MARKS)] if who else " " for who in owner])
    edges, who = [0], next((one for one in owner if one), 0)
    named = [who]
    for index, one in enumerate(owner):
        if one and one != who:  # a blank takes the style before it: fewer colour changes, fewer bytes
            who = one
            edges.append(index)
            named.append(who)
    return [
        (text[start:end], styles[one]) for (start, end), one in zip(pairwise([*edges, len(owner)]), named, strict=True)
    ]


def _trace(
    canvas: Canvas, steps: Sequence[float], values: Sequence[float], x: Axis, y: Axis, owner: int, dash: str
) -> None:
    """Draw one run of points: per pixel column the span of its values, and the way from column to column."""
    pixels = canvas.columns * canvas.wide - 1
    across, down = x.scale(pixels), y.scale(canvas.rows * canvas.high - 1, flipped=True)
    period, drawn = _DASHES[dash]
    index, n, before = 0, len(steps), None
    while index < n:
        column = across(steps[index])
        end = max(index + 1, bisect_right(steps, x.at((column + 0.5) / max(1, pixels)), index))
        part = values[index:end]
        first, last = down(part[0]), down(part[-1])
        high, low = (down(max(part)), down(min(part))) if end - index > 1 else (first, first)
        if before is not None:
            _connect(canvas, before, (column, first), owner, period, drawn)
        if low - high > 1 or column % period < drawn or n == 1:
            canvas.span(column, high, low, owner)
        before, index = (column, last), end


def _mark_lone(canvas: Canvas, line: _Line, x: Axis, y: Axis, owner: int) -> None:
    """Fill the cell of each point that has no neighbour, over all curves: a dot is missed, or taken for the curve's."""
    across, down = x.scale(canvas.columns * canvas.wide - 1), y.scale(canvas.rows * canvas.high - 1, flipped=True)
    for steps, values in line.runs:
        if len(steps) > 1:
            continue
        left, top = across(steps[0]) // canvas.wide * canvas.wide, down(values[0]) // canvas.high * canvas.high
        for column in range(left, left + canvas.wide):
            canvas.span(column, top, top + canvas.high - 1, owner)


def _connect(canvas: Canvas, start: tuple[int, int], end: tuple[int, int], owner: int, period: int, drawn: int) -> None:
    """Draw the straight way between two pixels of different columns, steep parts as spans."""
    (x0, y0), (x1, y1) = start, end
    if x1 <= x0:
        return
    slope = (y1 - y0) / (x1 - x0)
    for x in range(max(x0, -1), min(x1, canvas.columns * canvas.wide) + 1):
        if abs(slope) <= 1:
            top = bottom = round(y0 + slope * (x - x0))
        else:
            near, far = y0 + slope * max(0, x - x0 - 0.5), y0 + slope * min(x1 - x0, x - x0 + 0.5)
            top, bottom = round(min(near, far)), round(max(near, far))
        if bottom - top > 1 or x % period < drawn:
            canvas.span(x, top, bottom, owner)


def _x_row(x: Axis, width: int, gutter: int, x_label: str) -> str:
    """Return the axis row: labels centred under their place, never touching, the axis' name at the right end."""
    row = [" "] * width
    free_from = 0
    name_at = width - len(x_label) - 2 if x_label and width > gutter + 3 * len(x_label) else width
    for at, text in ticks(x, max(2, (width - gutter) // 14)):
        start = gutter + round(x.place(at) * (width - gutter - 1)) - len(text) // 2
        start = min(max(start, 0), width - len(text))
        if free_from <= start and start + len(text) <= name_at:
            row[start : start + len(text)] = text
            free_from = start + len(text) + 2
    if name_at < width:
        row[width - len(x_label) :] = x_label
    return "".join(row)


def smooth(values: Sequence[float | None], factor: float) -> list[float | None]:
    """Return the exponential moving average of `values`, bias-corrected as in Adam (Kingma & Ba 2015) and TensorBoard.

    `factor` from 0 (as it is) to below 1 (very smooth); gaps stay gaps and do not move the average.
    """
    factor = min(0.999, max(0.0, factor))
    average, weight = 0.0, 0.0
    smoothed: list[float | None] = []
    for value in values:
        if value is None or not math.isfinite(value):
            smoothed.append(value)
            continue
        average = factor * average + (1 - factor) * value
        weight = factor * weight + (1 - factor)
        smoothed.append(average / weight)
    return smoothed
