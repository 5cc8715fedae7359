"""Curves as runs of each kind leave them, with noise; and recipes for them."""

from __future__ import annotations

import math
import random
from typing import Any

from workbench.insight.course import Course
from workbench.recipe import Recipe, parse


def recipe_of(**tables: Any) -> Recipe:
    """Return a recipe for a labelled set; `tables` are laid over it."""
    plain = {"task": "sentiment", "data": "starter:sentiment", "backbone": "size:tiny", "strategy": "full"}
    return parse(plain | tables)


def course(
    kind: str,
    seed: int = 0,
    *,
    updates: int = 300,
    until: float = 1.0,
    noise: float = 0.08,
    evaluations: int = 12,
    constant: bool = False,
    rows: int | None = 1000,
) -> Course:
    """Return the course of a run of a kind, up to a share of its updates; `noise` is that of one update's loss."""
    rng = random.Random(f"{kind}-{seed}")
    last, every = round(updates * until), max(1, updates // evaluations)
    training, gradient, rate, losses, scores = ([], []), ([], []), ([], []), ([], []), ([], [])
    for step in range(1, last + 1):
        done = step / updates
        loss, evaluated, score = _levels(kind, done)
        add(training, step, max(1e-4, loss * (1 + rng.gauss(0, noise))))
        add(gradient, step, 40.0 if kind == "diverging" and done > 0.3 else 1 + rng.random())
        add(rate, step, 5e-5 if constant else 5e-5 * min(1.0, done / 0.06) * (1 - done))
        if step % every == 0:
            jump = rng.gauss(0, 0.06 if kind == "noisy" else 0.004)
            add(losses, step, max(1e-4, evaluated * (1 + rng.gauss(0, 0.005))))
            add(scores, step, min(1.0, score + jump))
    return Course(training, losses, scores, gradient, rate, "accuracy", "max", updates, until, rows)


def add(curve: tuple[list[int], list[float | None]], step: int, value: float) -> None:
    """Add a point to a curve."""
    curve[0].append(step)
    curve[1].append(value)


def _levels(kind: str, done: float) -> tuple[float, float, float]:
    """Return training loss, evaluation loss and score without noise at a share of the updates."""
    learned = 1 - math.exp(-done * 8)
    if kind == "underfitting":
        return 0.69 - 0.02 * done, 0.69 - 0.015 * done, 0.5 + 0.02 * done
    if kind == "cut short":
        fallen = max(0.0, done - 0.4) / 0.6
        return 0.69 - 0.4 * fallen, 0.70 - 0.4 * fallen, 0.5 + 0.4 * fallen
    if kind == "diverging" and done > 0.3:
        return 1.8, 1.9, 0.5
    if kind == "plateau" and done > 0.2:
        return 0.69 - 0.4 * (1 - math.exp(-1.6)), 0.36, 0.82
    train, score = 0.69 - 0.5 * learned, 0.5 + 0.42 * learned
    if kind == "overfitting":
        later = max(0.0, done - 0.4)
        return max(0.02, train - 0.3 * later), 0.69 - 0.42 * learned + 0.7 * later, score - 0.05 * later
    return train, 0.69 - 0.45 * learned, score - 0.2 * (kind == "noisy")
