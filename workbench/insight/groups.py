"""The table of a group: a row for each combination of the settings it is spread over, mean and deviation over seeds."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from store import runs
from store.connection import Store
from store.runs import Run
from workbench.errors import WorkbenchError
from workbench.goals import goal_of
from workbench.insight.settings import given, rank

SEED = "seed"
PRETRAINED = "strategy.pretrained"
"""The setting that names the run whose model a run of `pretrain-first` begins with."""

CHOICES = ("task.name", "data.train", "backbone.name", "strategy.name")
AMOUNTS = ("data.rows", "data.per_class")
"""Settings that say how much is trained on: over them a group has a learning curve."""


@dataclass(frozen=True)
class Combination:
    """The runs of a group that differ in the seed alone.

    `values` are those of the table's keys, None where a run leaves one open. `seeds` counts the finished runs with
    another seed each; `mean` and `deviation` (sample standard deviation, None below two) are of their best values of
    the goal metric, the other means of what they took: seconds with those of the pretraining they begin with.
    """

    values: tuple[str | None, ...]
    run_ids: tuple[int, ...]
    seeds: int
    mean: float | None
    deviation: float | None
    seconds: float | None
    trainable_share: float | None
    peak_bytes: int | None
    states: Mapping[str, int]


@dataclass(frozen=True)
class Group:
    """A group of runs; `keys` are the settings that tell its combinations apart, `pretraining` the runs on raw text
    that the others begin with."""

    name: str
    goal_key: str | None
    keys: tuple[str, ...]
    rows: tuple[Combination, ...]
    pretraining: tuple[int, ...]
    states: Mapping[str, int]

    @property
    def runs(self) -> int:
        """How many runs it has, those that pretrain left out."""
        return sum(len(row.run_ids) for row in self.rows)

    @property
    def done(self) -> int:
        """How many of them have ended as they should."""
        return sum(row.states.get("finished", 0) for row in self.rows)

    @property
    def best(self) -> Combination | None:
        """The combination with the best mean, None before the first result."""
        known = [row for row in self.rows if row.mean is not None]
        pick = min if goal_of(self.goal_key or "") == "min" else max
        return pick(known, key=lambda row: row.mean or 0.0) if known else None

    def to_json(self) -> dict[str, Any]:
        """Return plain dicts and lists for `json.dumps`."""
        rows = [{**asdict(row), "values": dict(zip(self.keys, row.values, strict=True))} for row in self.rows]
        return {**asdict(self), "rows": rows, "runs": self.runs, "done": self.done}


def read_group(store: Store, name: str) -> Group:
    """Return the table of a group; raise a WorkbenchError where there is none of that name."""
    found = runs.of_group(store, name)
    if not found:
        raise WorkbenchError(f"there is no group {name!r}", hint="See them with: workbench group")
    config = _config(store, found)
    pretraining = {run.uid for run in found} & set(config.get(PRETRAINED, {}).values())
    first = {run.uid: run for run in found if run.uid in pretraining}
    compared = [run for run in found if run.uid not in pretraining]
    keys = _keys(config, compared)
    members: dict[tuple[str | None, ...], list[Run]] = {}
    for run in compared:
        members.setdefault(tuple(given(config[key].get(run.id)) for key in keys), []).append(run)
    before = {
        run.id: first[uid].seconds for run in compared if (uid := config.get(PRETRAINED, {}).get(run.id, "")) in first
    }
    goals = {run.goal_key for run in compared}
    return Group(
        name=name,
        goal_key=goals.pop() if len(goals) == 1 else None,
        keys=keys,
        rows=tuple(_combination(values, alike, before) for values, alike in members.items()),
        pretraining=tuple(run.id for run in first.values()),
        states=dict(Counter(run.state for run in found)),
    )


def read_groups(store: Store) -> list[Group]:
    """Return all groups, the newest first."""
    return [read_group(store, name) for name in runs.groups(store)]


def _config(store: Store, found: Sequence[Run]) -> dict[str, dict[int, str]]:
    """Return the flattened recipes: path → run → text.

    A run that begins with the model of another of the group, which pretrained for it, has the backbone of that one.
    """
    config = runs.config(store, [run.id for run in found])
    numbers = {run.uid: run.id for run in found}
    names = config.get("backbone.name", {})
    for run_id, uid in config.get(PRETRAINED, {}).items():
        if uid in numbers:
            names[run_id] = names.get(numbers[uid], names[run_id])
    return config


def _keys(config: Mapping[str, Mapping[int, str]], compared: Sequence[Run]) -> tuple[str, ...]:
    """Return the settings that tell the runs apart, but the seed.

    A setting that goes with those before it, as the learning rate by default with the strategy, tells nothing more.
    """
    kept: list[str] = []
    parts = [{run.id for run in compared}]
    # A choice comes before the settings that belong to it.
    for path in sorted(config, key=lambda path: (path not in CHOICES, rank(path))):
        if path in (SEED, PRETRAINED, "name"):
            continue
        finer = [part for ids in parts for part in _parted(ids, config[path])]
        if len(finer) > len(parts):
            kept.append(path)
            parts = finer
    return tuple(kept)


def _parted(ids: set[int], texts: Mapping[int, str]) -> list[set[int]]:
    parts: dict[str | None, set[int]] = {}
    for run_id in ids:
        parts.setdefault(given(texts.get(run_id)), set()).add(run_id)
    return list(parts.values())


def _combination(values: tuple[str | None, ...], alike: Sequence[Run], before: Mapping[int, float]) -> Combination:
    # Of two runs with the same seed the newer counts.
    done = list({run.seed: run for run in alike if run.state == "finished"}.values())
    scores = [run.best_value for run in done if run.best_value is not None]
    shares = [run.trainable / run.parameters for run in done if run.trainable is not None and run.parameters]
    peaks = [run.peak_bytes for run in done if run.peak_bytes is not None]
    return Combination(
        values=values,
        run_ids=tuple(run.id for run in alike),
        seeds=len(scores),
        mean=statistics.fmean(scores) if scores else None,
        deviation=statistics.stdev(scores) if len(scores) > 1 else None,
        seconds=statistics.fmean(run.seconds + before.get(run.id, 0.0) for run in done) if done else None,
        trainable_share=statistics.fmean(shares) if shares else None,
        peak_bytes=max(peaks, default=None),
        states=dict(Counter(run.state for run in alike)),
    )


@dataclass(frozen=True)
class LearningCurve:
    """How the goal metric grows with how much is trained on, for each combination of the other settings.

    `lines` maps what tells a combination apart to its points (amount, mean, deviation), least first.
    """

    key: str
    lines: Mapping[tuple[str | None, ...], tuple[tuple[float, float, float | None], ...]]


def learning_curve(group: Group) -> LearningCurve | None:
    """Return the learning curve of a group, None where it is not spread over how much is trained on."""
    key = next((key for key in AMOUNTS if key in group.keys), None)
    if key is None:
        return None
    place = group.keys.index(key)
    lines: dict[tuple[str | None, ...], list[tuple[float, float, float | None]]] = {}
    for row in group.rows:
        others = (*row.values[:place], *row.values[place + 1 :])
        points = lines.setdefault(others, [])
        amount = row.values[place]
        if amount is not None and row.mean is not None:
            points.append((float(amount), row.mean, row.deviation))
    return LearningCurve(key, {others: tuple(sorted(points)) for others, points in lines.items() if points})
