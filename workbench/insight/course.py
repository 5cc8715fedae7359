"""How a run went so far: its curves and how long it is, and what noise, windows and stalls are in a curve."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from store import points, predictions
from store.connection import Store
from store.runs import Run
from workbench.goals import goal_of
from workbench.insight.overfitting import Curve
from workbench.shortage import ran_short

NONE: Curve = ((), ())

_NORMAL = 0.6745
"""The median distance of a normal variable from its mean, in standard deviations."""


@dataclass(frozen=True)
class Course:
    """The curves of a run, as long as it is by now.

    `goal` is `max` or `min` for the score that picks the best model, called `metric`; `done` is the share of the
    schedule that is behind it, 1 for a run that finished; `rows` counts the evaluation set, None where unknown;
    `shortage` is what a run that ran out of memory says of it.
    """

    training: Curve = NONE
    evaluation: Curve = NONE
    score: Curve = NONE
    gradient: Curve = NONE
    rate: Curve = NONE
    metric: str = "score"
    goal: str = "max"
    updates: int = 0
    done: float = 0.0
    rows: int | None = None
    shortage: str = ""


def course_of(run: Run, curve: Callable[[str], Curve], rows: int | None = None) -> Course:
    """Return the course of a run; `curve` gives the steps and values of a metric, empty where it has none."""
    updates = run.max_steps or 0
    done = 1.0 if run.state == "finished" else run.step / updates if updates else 0.0
    metric = run.goal_key or "eval/loss"
    shortage = (run.error or "out of memory") if ran_short(run) else ""
    return Course(
        curve("train/loss"), curve("eval/loss"), curve(metric), curve("train/grad_norm"), curve("train/rate"),
        metric.rpartition("/")[2].replace("_", " "), goal_of(metric), updates, done, rows,
        shortage,
    )  # fmt: skip


def read_course(store: Store, run: Run) -> Course:
    """Return the course of a run as the store has it."""
    rows = predictions.example_count(store, run.eval_set) if run.eval_set else None
    return course_of(run, lambda name: points.curve(store, run.id, name), rows)


def finite(curve: Curve) -> list[tuple[int, float]]:
    """Return the points of a curve that are numbers."""
    return [(step, value) for step, value in zip(*curve, strict=True) if value is not None and math.isfinite(value)]


def windows(values: Sequence[float], size: int) -> list[float]:
    """Return the means of neighbouring windows of `size` values; what is left over at the end is left out."""
    return [fmean(values[start : start + size]) for start in range(0, len(values) - size + 1, size)]


def jitter(values: Sequence[float]) -> float:
    """Return the standard deviation of the values about a smooth course; 0 for fewer than three.

    It is estimated from second differences, which no straight trend enters (their variance is six times that of the
    noise), by the median, which a few jumps do not move.
    """
    bends = [after - 2 * here + before for before, here, after in zip(values, values[1:], values[2:], strict=False)]
    return median(abs(bend) for bend in bends) / (_NORMAL * math.sqrt(6)) if bends else 0.0


def longest_stall(values: Sequence[float], goal: str) -> int:
    """Return after how many values without a gain there still came one, at most."""
    best, stall, longest = None, 0, 0
    for value in values:
        if best is None or (value > best if goal == "max" else value < best):
            best, longest, stall = value, max(longest, stall), 0
        else:
            stall += 1
    return longest
