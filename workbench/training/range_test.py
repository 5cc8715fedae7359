"""The learning-rate range test (Smith 2017): what the losses at rising rates say of the rate to take."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from workbench.recipe import Training
from workbench.training.optimiser import rate_at

if TYPE_CHECKING:
    import numpy

PARTS = 20
"""Losses are smoothed by their mean over this part of the updates: a part of the rates' way on a logarithmic scale."""

RISE = 0.5
"""The loss has diverged where it has risen from its least by this share of what it was at first, smoothed.

Not where it is a multiple of the least, as in fastai's `lr_find`: few rows are soon learned by heart, and a loss near
zero is soon many times that.
"""


def diverged_at(losses: Sequence[float], updates: int) -> int | None:
    """Return the update (from 0) of `updates` at which the loss has diverged, None where it has not so far."""
    import numpy

    if not losses:
        return None
    broken = next((step for step, loss in enumerate(losses) if not math.isfinite(loss)), None)
    smooth = _smoothed(losses[:broken], updates)
    beyond = numpy.flatnonzero(smooth - numpy.minimum.accumulate(smooth) > RISE * smooth[:1])
    return int(beyond[0]) + _span(updates) - 1 if len(beyond) else broken


def advice(losses: Sequence[float], updates: int, training: Training) -> str:
    """Return in words which learning rate the losses of a test of so many updates speak for.

    It is the rate at which the smoothed loss falls steepest on its way to the least: between the two neighbouring means
    that differ most.
    """
    import numpy

    span, end = _span(updates), diverged_at(losses, updates)
    smooth = _smoothed(losses[:end], updates)
    limit = "does not diverge up to" if end is None else "diverges at"
    limit = f"it {limit} {rate_at(updates - 1 if end is None else end, updates, training):.1e}"
    if len(smooth) <= span:
        return f"too few updates to find a learning rate; {limit}"
    way = smooth[: smooth.argmin() + 1]
    falls = way[:-span] - way[span:]
    if not len(falls) or falls.max() <= 0:
        return f"the loss falls at no learning rate; {limit}"
    best = rate_at(int(numpy.argmax(falls)) + span - 1, updates, training)
    return f"the loss falls steepest at a learning rate of {best:.1e}; {limit}"


def _span(updates: int) -> int:
    return max(1, updates // PARTS)


def _smoothed(losses: Sequence[float], updates: int) -> numpy.ndarray:
    """Return the mean of each loss and those before it, from the first with enough of these on."""
    import numpy

    span = _span(updates)
    return numpy.convolve(losses, numpy.full(span, 1 / span), "valid") if len(losses) >= span else numpy.empty(0)
