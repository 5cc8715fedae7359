"""Overfitting, read from two loss curves."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

Curve = tuple[Sequence[int], Sequence[float | None]]
"""Steps, ascending, and the value at each; None where it was not a number."""

NOISE = 0.01
"""Evaluation losses within this share of the smallest count as equal to it."""


def overfits_from(evaluation: Curve, training: Curve) -> int | None:
    """Return the step from which evaluation loss rises for good while training loss falls, or None.

    It is the last evaluation within 1 % of the smallest loss, if at least two evaluations follow it (all are then
    higher) and the mean training loss before the last evaluation is below that before the turn.
    """
    points = _finite(evaluation)
    if len(points) < 3:
        return None
    smallest = min(value for _, value in points)
    turn = max(index for index, (_, value) in enumerate(points) if value <= smallest + NOISE * abs(smallest))
    if len(points) - 1 - turn < 2:
        return None
    before, after = _mean_before(points, turn, training), _mean_before(points, len(points) - 1, training)
    falls = before is not None and after is not None and after < before
    return points[turn][0] if falls else None


def training_loss_at(evaluation: Curve, training: Curve, step: int) -> float | None:
    """Return the mean training loss between the evaluation at `step` and the one before it, or None."""
    points = _finite(evaluation)
    index = next((number for number, (at, _) in enumerate(points) if at == step), None)
    return None if index is None else _mean_before(points, index, training)


def _finite(curve: Curve) -> list[tuple[int, float]]:
    return [(step, value) for step, value in zip(*curve, strict=True) if value is not None]


def _mean_before(points: list[tuple[int, float]], index: int, training: Curve) -> float | None:
    """Return the mean training loss between an evaluation and the one before it."""
    steps, values = training
    start = bisect_right(steps, points[index - 1][0]) if index else 0
    window = [value for value in values[start : bisect_right(steps, points[index][0])] if value is not None]
    return sum(window) / len(window) if window else None
