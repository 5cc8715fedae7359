"""What ails a run, read from its curves, also while it trains.

Healthy runs have no finding: every threshold is held to the noise of the curve that it is about. Light: no recipe.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise
from statistics import fmean, median
from typing import Any

from workbench.insight.course import Course, finite, jitter, windows
from workbench.insight.overfitting import Curve, overfits_from, training_loss_at
from workbench.text import count, number

NOT_FINITE = 2
"""Updates in a row without a number: one may be an overflow that is skipped, at five a run is given up."""

SLICES = 20
"""Into how many windows a training curve is cut, of at least `LEAST` updates: batches of like length come in a row, and
their losses differ."""

LEAST = 10
LASTING = 3
"""Windows for which a loss stays up that diverges: shorter spikes are overcome by themselves."""

RISE = 0.5
"""Training loss that is half as much again as its low has lost more than noise and unfreezing take from it."""

RISE_OF_START = 0.4
"""And no less than this share of the loss at the start: near zero a multiple of the low is nothing."""

RISE_OF_NOISE = 1.5
"""And so many deviations of single updates: twenty means of ten of them stay within 1.2 of each other."""

FIRST = 3
"""Updates whose median is the loss at the start: the rate has hardly risen yet."""

FEW = 5
"""Updates whose mean or median tells at least something."""

LEARNED = 0.1
"""A training loss that fell by less than this share has hardly learned: a fresh head halves its own within a pass."""

HALF = 0.5
"""Share of the schedule after which this is said: small models from random weights may stand still for a third."""

STEEP = 0.15
"""Share of the loss at the start that the last third of a schedule takes off where it ends too early: its rate is
below a third of the peak, and what is nearly learned moves by a few per cent."""

GAP = 1.1
"""Evaluation loss within a tenth of training loss: nothing is learned by heart yet."""

OVERFITS = 0.05
"""Evaluation loss that rose by less than 5 % of its low costs no score."""

FELL = 0.05
"""Share by which training loss fell in the meantime: what hardly falls learns nothing by heart."""

OVERFITS_NOISE = 3.0
"""Deviations of single evaluations that it rose by: of ten that only jitter, the low lies two below their mean."""

GAIN = 0.005
"""Share of the best by which a value is no gain."""

STALE = 5
"""Evaluations without a gain that make a plateau, and the share of the schedule that they must cover."""

STALE_SHARE = 0.25
RATE_HIGH = 0.5
"""Share of its peak at which a rate still is high: below, the schedule itself ends the plateau."""

CEILING = 0.995
"""A score, or a loss taken off the first evaluation's, at which there is nothing left to gain."""

JUMPY = 0.04
"""Deviation of a score from its own course, as a share of it: 3 points of an accuracy of 0.75. Below, the best model
is about as good as its neighbours."""

JUMPY_LEAST = 0.01
LATEST = 10
"""Evaluations that are looked at for noise, and how few will do: one jump among them is in three of eight bends."""

FEWEST = 8


@dataclass(frozen=True)
class Finding:
    """What is seen: since which step, and in words with numbers.

    `code` is memory, diverging, overfitting, underfitting, plateau or noisy.
    """

    code: str
    step: int
    words: str


@dataclass(frozen=True)
class Diagnosis(Finding):
    """A finding with its remedy in words; `changes` are settings by path, none where only a person can help."""

    remedy: str
    changes: Mapping[str, Any]


def findings(course: Course, fresh: bool = True) -> tuple[Finding, ...]:
    """Return what ails a run, the weightiest first; nothing where it is well or too short to tell.

    `fresh` is whether something of it began at random. Without, what was learned before may start near its floor, and a
    loss that hardly falls says nothing.
    """
    cause = _diverging(course) or (_underfitting(course) if fresh else None)
    # What did not learn at all has a flat and noisy score too, which are no ailments of their own.
    found = [cause] if cause else [look(course) for look in (_overfitting, _plateau, _noisy)]
    return tuple(finding for finding in (_short_of_memory(course), *found) if finding is not None)


def _short_of_memory(course: Course) -> Finding | None:
    if not course.shortage:
        return None
    return Finding("memory", course.training[0][-1] if course.training[0] else 0, course.shortage)


def _diverging(course: Course) -> Finding | None:
    for name, curve in (("the loss", course.training), ("the gradient", course.gradient)):
        if (step := _not_finite_since(curve)) is not None:
            return Finding("diverging", step, f"diverging: {name} is not a number since step {count(step)}")
    points = finite(course.training)
    size = max(LEAST, len(points) // SLICES)
    values = [value for _, value in points]
    means = windows(values, size)
    if len(means) < LASTING:
        return None
    start = median(values[:FIRST])
    noise = min(jitter(values), start)
    lows = list(accumulate(means, min, initial=start))
    for index, mean in enumerate(means):
        low = lows[index]
        rise = max(RISE * low, RISE_OF_START * start, RISE_OF_NOISE * noise)
        still_up = min(low + rise / 2, (1 - LEARNED) * start)
        later = means[index:]
        if mean - low >= rise and len(later) >= LASTING and fmean(later[-LASTING:]) > still_up:
            step = points[index * size][0]
            words = f"diverging since step {count(step)}: train loss {number(low)} → {number(max(later))}"
            return Finding("diverging", step, words + _gradient_words(course.gradient, step))
    return None


def _not_finite_since(curve: Curve) -> int | None:
    """Return the first step of the values at the end that are not numbers, if they are `NOT_FINITE` or more."""
    steps, values = curve
    bad = 0
    while bad < len(values) and ((value := values[-1 - bad]) is None or not math.isfinite(value)):
        bad += 1
    return steps[len(values) - bad] if bad >= NOT_FINITE else None


def _gradient_words(gradient: Curve, step: int) -> str:
    norms = finite(gradient)
    before = [norm for at, norm in norms if at < step] or [norm for _, norm in norms[:1]]
    highest = max((norm for at, norm in norms if at >= step), default=0.0)
    usual = median(before) if before else 0.0
    return f", gradient norm {highest / usual:.0f} times as large" if usual and highest > 10 * usual else ""


def _overfitting(course: Course) -> Finding | None:
    step = overfits_from(course.evaluation, course.training)
    if step is None:
        return None
    points = finite(course.evaluation)
    values = [value for _, value in points]
    low, now = dict(points)[step], fmean(values[-2:])
    before, after = (training_loss_at(course.evaluation, course.training, at) or 0.0 for at in (step, points[-1][0]))
    if before - after < FELL * abs(before):
        return None
    noise = jitter(values[-LATEST:]) if len(values) >= FEWEST else 0.0
    if now - low < max(OVERFITS * abs(low), OVERFITS_NOISE * noise):
        return None
    words = f"overfitting since step {count(step)}: eval loss {number(low)} → {number(values[-1])}"
    return Finding("overfitting", step, f"{words} while train loss falls")


def _underfitting(course: Course) -> Finding | None:
    points = finite(course.training)
    size = max(FEW, len(points) // 10)
    if len(points) < 2 * size or course.done < HALF:
        return None
    values = [value for _, value in points]
    start, now = fmean(values[:size]), fmean(values[-size:])
    if now > 1.5 * start:
        return None
    if start - now < LEARNED * abs(start):
        words = f"underfitting: train loss {number(now)} is hardly below the {number(start)} it began with"
        return Finding("underfitting", points[0][0], words)
    third = len(values) * 2 // 3
    before = fmean(values[max(0, third - size) : third])
    evaluations = [value for _, value in finite(course.evaluation)]
    ended, no_gap = course.done >= 1, bool(evaluations) and evaluations[-1] == min(evaluations) <= GAP * now
    if ended and no_gap and before - now >= STEEP * start and not _at_ceiling(course):
        words = f"underfitting: train loss still fell at the end, {number(before)} → {number(now)} in the last third"
        return Finding("underfitting", points[third][0], words)
    return None


def _plateau(course: Course) -> Finding | None:
    scores, losses, rates = (finite(curve) for curve in (course.score, course.evaluation, course.rate))
    training = [value for _, value in finite(course.training)]
    if not scores or not losses or len(rates) < FEW or len(training) < 2 * FEW:
        return None
    if rates[-1][1] < RATE_HIGH * max(rate for _, rate in rates):
        return None
    since = max(_last_gain(scores, course.goal), _last_gain(losses, "min"))
    stale = sum(step > since for step, _ in scores)
    best = (max if course.goal == "max" else min)(value for _, value in scores)
    learned = median(training[:FEW]) - median(training[-FEW:]) >= LEARNED * abs(median(training[:FEW]))
    gone = min(value for _, value in losses) <= (1 - CEILING) * losses[0][1]
    brief = stale < STALE or scores[-1][0] - since < STALE_SHARE * course.updates
    if brief or _at_ceiling(course) or gone or not learned:
        return None
    words = f"plateau since step {count(since)}: {course.metric} {number(best)} is not bettered in {stale} evaluations"
    return Finding("plateau", since, f"{words}, the rate is still {number(rates[-1][1])}")


def _at_ceiling(course: Course) -> bool:
    """Return whether there is no better score to come."""
    return course.goal == "max" and CEILING <= max((value for _, value in finite(course.score)), default=0.0) <= 1


def _last_gain(points: list[tuple[int, float]], goal: str) -> int:
    """Return the first step whose value is as good as the best, but for noise."""
    values = [value for _, value in points]
    best = max(values) if goal == "max" else min(values)
    alike = max(GAIN * abs(best), 2 * jitter(values[-LATEST:]))
    return next(step for step, value in points if abs(value - best) <= alike)


def _noisy(course: Course) -> Finding | None:
    points = finite(course.score)[-LATEST:]
    values = [value for _, value in points]
    if len(values) < FEWEST:
        return None
    third = len(values) // 3
    noise, trend = jitter(values), abs(fmean(values[-third:]) - fmean(values[:third]))
    if noise < max(JUMPY * abs(median(values)), JUMPY_LEAST, trend):
        return None
    jump = fmean(abs(after - before) for before, after in pairwise(values))
    words = f"noisy evaluation: {course.metric} jumps by {number(jump)} from one evaluation to the next"
    rows = "" if course.rows is None else f", on {count(course.rows)} row{'' if course.rows == 1 else 's'}"
    return Finding("noisy", points[0][0], words + rows)
