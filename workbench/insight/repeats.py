"""Whether a run that repeats another, by `train --like`, logged the same numbers. Light."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from store import points, runs
from store.connection import Store
from store.runs import Run
from workbench.conditions import changed
from workbench.goals import SPEED
from workbench.insight.words import metric_words
from workbench.text import count, plain


@dataclass(frozen=True)
class Repeat:
    """How a run compares with the one that it repeats, at the updates that both logged.

    `last` is the last of these, `step` and `metric` are where they part first; `apart` is the largest difference of
    that metric from there on.
    """

    of: int
    name: str
    ended: bool
    compared: int
    last: int
    step: int | None
    metric: str | None
    apart: float | None
    conditions: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether it did repeat it, so far."""
        return self.compared > 0 and self.step is None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {**asdict(self), "same": self.same, "words": self.words}

    @property
    def words(self) -> str:
        """Say whether it did: from which update on not, by how much, and what else was different."""
        called = f"run #{self.of} {plain(self.name)}"
        others = f" (other than there: {', '.join(map(plain, self.conditions))})" if self.conditions else ""
        so_far = "" if self.ended else " so far"
        if not self.compared:
            return f"repeats {called}: no update of both is logged{so_far}{others}"
        if self.step is None:
            numbers = f"{count(self.compared)} logged numbers up to update {count(self.last)} are the same"
            return f"repeats {called} to the bit{so_far}: {numbers}{others}"
        what = metric_words(self.metric or "")
        size = "is not a number on one side" if self.apart is None else f"is up to {self.apart:.2g} apart"
        return f"does not repeat {called}: from update {count(self.step)} on {what} {size}{others}"


def repeat_of(store: Store, run: Run) -> Repeat | None:
    """Return how a run compares with the run that it repeats: its parent, where that has the same recipe."""
    first = runs.get(store, run.parent_id) if run.parent_id is not None else None
    if first is None or first.recipe_hash != run.recipe_hash:
        return None
    compared, last, parted = 0, 0, []
    for metric in sorted(points.summaries(store, [run.id])[run.id]):
        if metric == SPEED:
            continue
        pairs = _pairs(store, first, run, metric)
        compared += len(pairs)
        last = max([last, *(step for step, _, _ in pairs[-1:])])
        step = next((step for step, one, other in pairs if one != other), None)
        if step is not None:
            parted.append((step, metric, _apart(pairs)))
    at, which, apart = min(parted, key=lambda each: each[:2], default=(None, None, None))
    conditions = tuple(changed(first.versions, json.loads(run.versions))) if run.versions else ()
    ended = run.state in runs.ENDED
    return Repeat(first.id, first.name, ended, compared, last, at, which, apart, conditions)


def _pairs(store: Store, first: Run, run: Run, metric: str) -> list[tuple[int, float | None, float | None]]:
    """Return (update, value there, value here) of a metric where both logged it."""
    there = dict(zip(*points.curve(store, first.id, metric), strict=True))
    here = zip(*points.curve(store, run.id, metric), strict=True)
    return [(step, there[step], value) for step, value in here if step in there]


def _apart(pairs: list[tuple[int, float | None, float | None]]) -> float | None:
    """Return the largest difference of two numbers, or None where it is of none."""
    return max((abs(one - other) for _, one, other in pairs if one is not None and other is not None), default=None)
