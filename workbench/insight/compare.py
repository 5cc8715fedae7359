"""Runs side by side: results, the settings that differ, and what keeps the difference from being believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from math import sqrt
from typing import Any

from store import points, predictions
from store.connection import Store
from store.runs import Run, get, listing
from store.runs import config as read_config
from workbench.errors import WorkbenchError
from workbench.goals import goal_of
from workbench.insight.diagnosis import Diagnosis
from workbench.insight.notices import Notice, notices
from workbench.insight.overfitting import training_loss_at
from workbench.insight.paired import Paired, paired_test
from workbench.insight.remedies import diagnoses_of
from workbench.insight.settings import Setting, settings_of

TRAIN_LOSS = "train/loss"
EVAL_LOSS = "eval/loss"


@dataclass(frozen=True)
class Cell:
    """One metric of a run's best model, the one that is saved, at the step where it was saved.

    Training loss is the mean since the evaluation before. `delta` is the value less the baseline's, None where they
    cannot be compared.
    """

    best: float | None
    best_step: int | None
    delta: float | None = None
    verdict: str = ""
    """`better`, `worse` or `same` than the baseline; empty where they cannot be compared."""


@dataclass(frozen=True)
class MetricRow:
    """One metric over all runs; `goal` is `max` or `min`; None where a run has no such metric."""

    name: str
    goal: str
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True)
class Column:
    """One of the runs compared.

    `seeds` counts the finished runs, this one among them, that differ from it in the seed alone; `mean` and `spread`
    (sample standard deviation) are of their best value of the goal metric, None below two.
    """

    run_id: int
    name: str
    strategy: str
    state: str
    step: int
    max_steps: int | None
    seed: int
    seeds: int
    mean: float | None
    spread: float | None
    parameters: int | None
    trainable: int | None
    seconds: float
    peak_bytes: int | None
    gap: float | None
    """Evaluation loss of the best model less its training loss."""
    overfits_from: int | None
    """Step from which evaluation loss rises for good while training loss falls."""
    diagnoses: tuple[Diagnosis, ...]
    """What ails it, the weightiest first."""
    comparable: bool
    """Whether it was evaluated on the same examples as the baseline, as far as is known."""

    @property
    def trainable_share(self) -> float | None:
        return self.trainable / self.parameters if self.trainable is not None and self.parameters else None


@dataclass(frozen=True)
class Comparison:
    """Runs side by side; `baseline` is an index into `columns`, and so are the positions in every row."""

    baseline: int
    goal_key: str | None
    columns: tuple[Column, ...]
    metrics: tuple[MetricRow, ...]
    settings: tuple[Setting, ...]
    paired: tuple[Paired | None, ...]
    notices: tuple[Notice, ...]

    def differing(self) -> tuple[Setting, ...]:
        """Return the settings in which the runs differ."""
        return tuple(setting for setting in self.settings if setting.differs)

    def to_json(self) -> dict[str, Any]:
        """Return plain dicts and lists for `json.dumps`; numbers that are not known are None."""
        plain: dict[str, Any] = asdict(self)
        for column, shown in zip(self.columns, plain["columns"], strict=True):
            shown["trainable_share"] = column.trainable_share
        for test, shown in zip(self.paired, plain["paired"], strict=True):
            if test is not None:
                shown |= {"discordant": test.discordant, "significant": test.significant}
        return plain


def compare(store: Store, run_ids: Sequence[int], baseline: int | None = None) -> Comparison:
    """Compare runs in the order given with the run `baseline`, by default the first.

    Raise a WorkbenchError for fewer than two different runs and for one that does not exist.
    """
    unique = list(dict.fromkeys(run_ids))
    if len(unique) < 2:
        raise WorkbenchError("comparing takes two runs", hint="Name at least two different runs.")
    runs = [_must_get(store, run_id) for run_id in unique]
    first = unique[0] if baseline is None else baseline
    if first not in unique:
        raise WorkbenchError(f"the baseline #{first} is not among the runs compared", hint="Name one of them.")
    position = unique.index(first)
    goal_key = runs[position].goal_key or next((run.goal_key for run in runs if run.goal_key), None)
    columns = tuple(_column(store, run, runs[position], goal_key) for run in runs)
    settings = settings_of(read_config(store, unique), unique)
    return Comparison(
        position,
        goal_key,
        columns,
        _metric_rows(store, runs, columns, position, goal_key),
        settings,
        _paired(store, runs, position),
        notices(runs, columns, settings, position),
    )


def _must_get(store: Store, run_id: int) -> Run:
    run = get(store, run_id)
    if run is None:
        raise WorkbenchError(f"there is no run #{run_id}", hint="See the runs with: workbench ls")
    return run


def _column(store: Store, run: Run, baseline: Run, goal_key: str | None) -> Column:
    diagnoses = diagnoses_of(store, run)
    overfits = next((each.step for each in diagnoses if each.code == "overfitting"), None)
    values = _seed_values(store, run, goal_key)
    mean = sum(values) / len(values) if len(values) > 1 else None
    spread = None if mean is None else sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
    return Column(
        run.id, run.name, run.strategy, run.state, run.step, run.max_steps, run.seed, max(1, len(values)), mean, spread,
        run.parameters, run.trainable, run.seconds, run.peak_bytes,
        _gap(store, run), overfits, diagnoses, _comparable(run, baseline),
    )  # fmt: skip


def _gap(store: Store, run: Run) -> float | None:
    evaluation, training = _value(store, run, EVAL_LOSS), _value(store, run, TRAIN_LOSS)
    return None if evaluation is None or training is None else evaluation - training


def _seed_values(store: Store, run: Run, goal_key: str | None) -> list[float]:
    """Return the best values of the run and of finished runs that differ from it in the seed alone, one a seed."""
    if run.best_value is None or run.goal_key != goal_key:
        return []
    alike = [
        other for other in listing(store, states=("finished",))
        if (other.task, other.backbone, other.strategy, other.dataset, other.goal_key, other.eval_set)
        == (run.task, run.backbone, run.strategy, run.dataset, run.goal_key, run.eval_set)
        and other.seed != run.seed and other.best_value is not None
    ]  # fmt: skip
    table = read_config(store, [run.id, *(other.id for other in alike)])
    values = {run.seed: run.best_value}
    for other in alike:
        same = all(texts.get(other.id) == texts.get(run.id) for path, texts in table.items() if path != "seed")
        if same and other.best_value is not None:
            values.setdefault(other.seed, other.best_value)
    return list(values.values())


def _comparable(run: Run, baseline: Run) -> bool:
    if run.task != baseline.task:
        return False
    return run.eval_set is None or baseline.eval_set is None or run.eval_set == baseline.eval_set


def _metric_rows(
    store: Store, runs: Sequence[Run], columns: Sequence[Column], baseline: int, goal_key: str | None
) -> tuple[MetricRow, ...]:
    """Return the goal metric, then the other evaluation metrics, the losses last."""
    summaries = points.summaries(store, [run.id for run in runs])
    names = {name for table in summaries.values() for name in table if name.startswith("eval/") or name == TRAIN_LOSS}
    order = sorted(names, key=lambda name: (name != goal_key, name == TRAIN_LOSS, name == EVAL_LOSS, name))
    rows = []
    for name in order:
        goal = "min" if name == TRAIN_LOSS else goal_of(name)
        cells = [Cell(_value(store, run, name), run.best_step) if name in summaries[run.id] else None for run in runs]
        reference = cells[baseline]
        judged = (
            _judge(cell, reference, goal) if cell and index != baseline and column.comparable else cell
            for index, (cell, column) in enumerate(zip(cells, columns, strict=True))
        )
        rows.append(MetricRow(name, goal, tuple(judged)))
    return tuple(rows)


def _value(store: Store, run: Run, metric: str) -> float | None:
    """Return a metric of the run's best model; None before the first evaluation."""
    if run.best_step is None:
        return None
    if metric != TRAIN_LOSS:
        return points.at_best(store, metric, [run.id]).get(run.id)
    evaluation, training = points.curve(store, run.id, EVAL_LOSS), points.curve(store, run.id, TRAIN_LOSS)
    return training_loss_at(evaluation, training, run.best_step)


def _judge(cell: Cell, reference: Cell | None, goal: str) -> Cell:
    if reference is None or cell.best is None or reference.best is None:
        return cell
    delta = cell.best - reference.best
    verdict = "same" if delta == 0 else "better" if (delta > 0) == (goal == "max") else "worse"
    return replace(cell, delta=delta, verdict=verdict)


def _paired(store: Store, runs: Sequence[Run], baseline: int) -> tuple[Paired | None, ...]:
    """Test each run against the baseline on the predictions stored of the same evaluation set."""
    reference = runs[baseline]
    if reference.eval_set is None:
        return (None,) * len(runs)
    answers = predictions.correctness(store, reference.id, reference.eval_set)
    return tuple(
        paired_test(answers, predictions.correctness(store, run.id, reference.eval_set))
        if run.id != reference.id and run.eval_set == reference.eval_set
        else None
        for run in runs
    )
