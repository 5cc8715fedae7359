"""Axes of a chart: where a value lies, and the round numbers (1, 2, 5) that label it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from workbench.text import count, quantity

_FAR = 4.0  # a value beyond the axis is held this many axis lengths away: still outside, never a million pixels


@dataclass(frozen=True)
class Axis:
    """A linear or logarithmic scale from `low` to `high`."""

    low: float
    high: float
    log: bool = False

    def place(self, value: float) -> float:
        """Return where `value` lies, 0 at the low end and 1 at the high end."""
        low, high = (math.log10(self.low), math.log10(self.high)) if self.log else (self.low, self.high)
        if self.log:
            value = math.log10(value) if value > 0 else -math.inf
        length = high - low
        if not length:
            return 0.5 if value == low else _FAR * (1 if value > low else -1)
        return min(_FAR, max(-_FAR, value / length - low / length))

    def scale(self, last: int, flipped: bool = False) -> Callable[[float], int]:
        """Return a function from a value to its pixel of 0 to `last`, counted from the high end when `flipped`."""
        if self.log or not 0 < self.high - self.low < math.inf:
            return lambda value: round((1 - self.place(value) if flipped else self.place(value)) * last)
        start, factor = self.low, last / (self.high - self.low)
        if flipped:
            start, factor = self.high, -factor
        far = _FAR * last

        def pixel(value: float) -> int:
            at = (value - start) * factor
            return round(at) if -far < at < far else int(far if at > 0 else -far)

        return pixel

    def at(self, place: float) -> float:
        """Return the value at `place`, the inverse of `place()`."""
        if self.log:
            return float(self.low * (self.high / self.low) ** place)
        return self.low + (self.high - self.low) * place


def nice_step(length: float, most: int) -> float:
    """Return the least of 1, 2, 5 times a power of ten that parts `length` into at most `most` pieces."""
    if not length or not math.isfinite(length):
        return 1.0
    rough = max(length / max(1, most), 5e-308)
    power = 10.0 ** math.floor(math.log10(rough))
    return next((factor * power for factor in (1, 2, 5) if factor * power >= rough * (1 - 1e-9)), 10 * power)


def nice_range(low: float, high: float, rounded: bool = True, log: bool = False) -> tuple[float, float]:
    """Return a range that holds `low` and `high` and is not empty.

    Rounding the ends outwards keeps a live axis still while its curve creeps.
    """
    if low == high:
        room = abs(low) / 10 or 1.0
        return (low / 2, high * 2) if log else (low - room, high + room)
    if not rounded or log:
        return low, high
    step = nice_step(high - low, 20)
    return math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step


def ticks(axis: Axis, most: int) -> list[tuple[float, str]]:
    """Return at most about `most` round values on the axis with their labels, in rising order."""
    if axis.log:
        decades = _log_ticks(axis, most)
        if len(decades) >= 2:
            return decades
    if axis.low == axis.high:
        return [(axis.low, tick_label(axis.low, 0.0))]
    step = nice_step(axis.high - axis.low, most)
    first, last = math.ceil(axis.low / step - 1e-9), math.floor(axis.high / step + 1e-9)
    return [(i * step, tick_label(i * step, step)) for i in range(first, min(last, first + 2 * most) + 1)]


def _log_ticks(axis: Axis, most: int) -> list[tuple[float, str]]:
    """Return powers of ten, with 2 and 5 between where there is room, thinned to `most`."""
    low, high = math.floor(math.log10(axis.low)), math.ceil(math.log10(axis.high))
    for factors in ((1, 2, 5), (1,)):
        marks = [
            factor * 10.0**power
            for power in range(low, high + 1)
            for factor in factors
            if axis.low <= factor * 10.0**power <= axis.high
        ]
        if len(marks) <= most or factors == (1,):
            break
    every = max(1, -(-len(marks) // max(1, most)))
    return [(mark, f"{mark:.0e}" if mark < 1e-3 else tick_label(mark, mark)) for mark in marks[::every]]


def tick_label(value: float, step: float) -> str:
    """Return a label with just the decimals that its `step` needs: 0.25, 1 500, 2 M, 1e-05."""
    if not value:
        return "0"
    if not step:
        return count(round(value)) if value == round(value) and abs(value) < 1e9 else f"{value:.4g}"
    if abs(value) >= 1e16 or step < 1e-4:
        return f"{value:.3g}"
    if step >= 1e5:
        return quantity(value)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return f"{value:.{decimals}f}" if decimals else count(round(value))
