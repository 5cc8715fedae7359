"""A comparison as rows of tables and curves of a chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import wrap

from textual.content import Content

from screens.feed import Curve, Trace
from screens.widgets.chart import SERIES_STYLES, Series
from screens.widgets.table import Cell, Column, Row
from store.runs import Run
from workbench.chart.plot import smooth
from workbench.insight.compare import Comparison, MetricRow
from workbench.insight.settings import differing_in
from workbench.insight.words import (
    best_words,
    delta_words,
    gap_words,
    metric_words,
    paired_words,
    setting_cells,
    spread_words,
    trainable_words,
)
from workbench.text import ABSENT, count, duration, plain, size

EVAL_LOSS = "eval/loss"
DASHES = ("solid", "dashed", "dotted")
SAMPLES = {"solid": "━", "dashed": "┅", "dotted": "┉"}
SMOOTHING = (0.0, 0.6, 0.9)
_VERDICTS = {"better": "good", "worse": "warn"}


@dataclass(frozen=True)
class View:
    """How the chart is drawn: which metric, against what, and which runs are left out."""

    metric: str = ""
    time: bool = False
    log_y: bool = False
    smoothing: int = 0
    hidden: frozenset[int] = field(default_factory=frozenset)


def metrics_of(traces: Mapping[int, Trace], goal_key: str | None) -> list[str]:
    """Return what can be drawn: evaluation loss, the goal metric, other evaluation metrics, then training's."""
    names = {name for trace in traces.values() for name, curve in trace.curves.items() if curve.steps}
    return sorted(names, key=lambda name: (name != EVAL_LOSS, name != goal_key, not name.startswith("eval/"), name))


def series_of(
    run_ids: Sequence[int], traces: Mapping[int, Trace], names: Mapping[int, str], view: View
) -> list[Series]:
    """Return the curves that are shown, each with the colour and dash of its place among the runs."""
    shown = []
    for place, run_id in enumerate(run_ids):
        trace = traces.get(run_id)
        curve = trace.curves.get(view.metric) if trace else None
        if curve is None or run_id in view.hidden:
            continue
        values = smooth(curve.values[: len(curve.steps)], SMOOTHING[view.smoothing])
        along = _seconds(curve) if view.time else list(curve.steps)
        style, dash = SERIES_STYLES[place % len(SERIES_STYLES)], DASHES[place % len(DASHES)]
        label = plain(f"#{run_id} {names.get(run_id, '')}", 22)
        shown.append(Series(label, along[: len(values)], values, style, dash))  # type: ignore[arg-type]
    return shown


def chart_title(view: View) -> str:
    """Return what the chart shows: eval loss · by step · log y · smooth 0.6."""
    factor = SMOOTHING[view.smoothing]
    parts = [metric_words(view.metric), "by time" if view.time else "by step"]
    parts += (["log y"] if view.log_y else []) + ([f"smooth {factor:g}"] if factor else [])
    return " · ".join(parts)


def _seconds(curve: Curve) -> list[float]:
    return [moment - curve.times[0] for moment in curve.times[: len(curve.steps)]]


def result_columns(comparison: Comparison) -> list[Column]:
    """Return the columns of the results: the goal metric and its distance to the baseline are the last to go."""
    baseline = comparison.columns[comparison.baseline]
    score = metric_words(comparison.goal_key) if comparison.goal_key else "score"
    return [
        Column("curve", "", 1, priority=9),
        Column("run", "#", 4, "right", 10),
        Column("name", "run", None, priority=8),
        Column("strategy", "strategy", 11, priority=7),
        Column("score", score, max(6, len(score)), "right", 10),
        Column("delta", f"vs #{baseline.run_id}", 10, priority=10),
        Column("loss", "eval loss", 9, "right", 7),
        Column("gap", "gap", 6, "right", 3),
        Column("overfits", "overfits", 8, "right", 4),
        Column("time", "time", 7, "right", 6),
        Column("memory", "peak mem", 8, "right", 5),
        Column("trains", "trainable", 15, "right", 6),
        Column("seeds", "seeds", 18, priority=2),
    ]


def result_rows(comparison: Comparison, view: View, *, ascii: bool = False) -> list[Row]:
    """Return a row for each run; the mark says that its curve is shown."""
    goal = _metric(comparison, comparison.goal_key)
    loss = _metric(comparison, EVAL_LOSS)
    rows = []
    for place, column in enumerate(comparison.columns):
        cell = goal.cells[place] if goal else None
        delta = delta_words(cell, comparison.paired[place], ascii=ascii)
        if place == comparison.baseline:
            difference = Cell("baseline", "muted")
        elif not column.comparable:
            difference = Cell("other data", "warn")
        else:
            difference = Cell(delta, _VERDICTS.get(cell.verdict, "") if cell else "")
        overfits = ABSENT if column.overfits_from is None else count(column.overfits_from)
        cells: list[str | Cell] = [
            "" if ascii else SAMPLES[DASHES[place % len(DASHES)]], str(column.run_id), column.name, column.strategy,
            Cell(best_words(cell), "strong"), difference, best_words(loss.cells[place] if loss else None),
            gap_words(column), Cell(overfits, "" if column.overfits_from is None else "warn"),
            duration(column.seconds or None), size(column.peak_bytes), trainable_words(column), spread_words(column),
        ]  # fmt: skip
        rows.append(Row(str(column.run_id), cells, column.run_id not in view.hidden))
    return rows


def setting_columns(comparison: Comparison) -> list[Column]:
    """Return a column for the setting and one for each run, the rightmost going first where space is short."""
    runs = [
        Column(f"run-{column.run_id}", plain(f"#{column.run_id} {column.name}", 18), priority=-place)
        for place, column in enumerate(comparison.columns)
    ]
    return [Column("setting", "setting", 24, priority=1), *runs]


def setting_rows(comparison: Comparison, every: bool) -> list[Row]:
    """Return the settings that differ, or every one; what is not as in the baseline stands out."""
    rows = []
    for path, *values in setting_cells(comparison, every):
        reference = values[comparison.baseline]
        cells: list[str | Cell] = [Cell(path, "muted")]
        cells += [Cell(value, "strong" if value != reference else "") for value in values]
        rows.append(Row(path, cells))
    return rows


def detail_words(comparison: Comparison, run_id: int) -> list[str]:
    """Return two lines about a run beside the baseline: what differs, and what the paired test says."""
    place = next((at for at, column in enumerate(comparison.columns) if column.run_id == run_id), None)
    if place is None:
        return ["", ""]
    baseline = comparison.columns[comparison.baseline].run_id
    if place == comparison.baseline:
        return [f"#{run_id} is the baseline; b holds the others to another run", ""]
    apart = [setting.words for setting in differing_in(comparison.settings, place, comparison.baseline)]
    same = (
        "same settings, other seed"
        if comparison.columns[place].seed != comparison.columns[comparison.baseline].seed
        else "same settings"
    )
    differs = f"#{run_id} against #{baseline}: " + (f"differs in {', '.join(apart)}" if apart else same)
    test = comparison.paired[place]
    return [plain(differs), paired_words(test, run_id, baseline) if test else "no predictions on the same examples"]


def _metric(comparison: Comparison, name: str | None) -> MetricRow | None:
    return next((row for row in comparison.metrics if row.name == name), None)


def offered_pair(runs: Sequence[Run]) -> tuple[Run, Run] | None:
    """Return the two newest finished runs of one task and data set, newest first; `runs` are newest first."""
    finished = [run for run in runs if run.state == "finished"]
    for place, run in enumerate(finished):
        for earlier in finished[place + 1 :]:
            if (run.task, run.dataset) == (earlier.task, earlier.dataset):
                return run, earlier
    return None


def nothing_marked(runs: Sequence[Run]) -> Content:
    """Return how to mark runs, and the pair that enter compares; `runs` are newest first."""
    said = "Nothing is marked to compare.\n\n In Runs, space marks a run and c compares the marked ones.\n\n"
    parts: list[tuple[str, str]] = [(f"\n {said}", "$foreground-muted")]
    if pair := offered_pair(runs):
        newest, earlier = (f"#{run.id} {plain(run.name, 30)}" for run in pair)
        parts += [(" enter", "bold"), (f"  compares {newest}  with  {earlier},\n", "")]
        parts.append(("        the last two finished on the same data", "$foreground-muted"))
    return Content.assemble(*parts)


def notice_lines(comparison: Comparison, cells: int) -> Content:
    """Return the warnings, each with its further lines under its first."""
    parts: list[tuple[str, str]] = []
    for notice in comparison.notices:
        first, *others = wrap(plain(notice.text), max(20, cells - 4)) or [""]
        parts += [(" ! ", "$text-warning"), (first + "\n", "")]
        parts += [(f"   {line}\n", "") for line in others]
    return Content.assemble(*parts).rstrip()
