"""A comparison in words: cells for a screen, plain text for a terminal, CSV for a spreadsheet. All text is safe."""

from __future__ import annotations

import csv
import io

from workbench.insight.compare import Cell, Column, Comparison, MetricRow
from workbench.insight.paired import SIGNIFICANT, Paired
from workbench.text import ABSENT, count, duration, number, percent, plain, quantity, signed, size, table

LEGEND = "▲ better, ▼ worse than the baseline; * tells the two apart on the same examples (exact McNemar, p < 0.05)"
_ARROWS = {"better": "▲", "worse": "▼", "same": "=", "": ""}
_ASCII_ARROWS = {"better": "^", "worse": "v", "same": "=", "": ""}


def metric_words(name: str) -> str:
    """Return a metric's name as people say it: eval/macro_f1 is macro f1, the losses keep whose they are."""
    table_name, _, key = name.rpartition("/")
    words = key.replace("_", " ")
    return f"{table_name} {words}" if table_name == "train" or key == "loss" else plain(words)


def best_words(cell: Cell | None) -> str:
    """Return the best value of a metric."""
    return ABSENT if cell is None else number(cell.best)


def delta_words(cell: Cell | None, test: Paired | None = None, *, ascii: bool = False) -> str:
    """Return how far a cell is from the baseline: ▲ +0.010 *; nothing where they cannot be compared."""
    if cell is None or cell.delta is None:
        return ""
    arrow = (_ASCII_ARROWS if ascii else _ARROWS)[cell.verdict]
    star = " *" if test is not None and test.significant else ""
    return f"{arrow} {signed(cell.delta)}{star}"


def spread_words(column: Column) -> str:
    """Return mean and spread over seeds: 0.931 ±0.004 (3); how many seeds where there is no spread."""
    if column.mean is None or column.spread is None:
        return str(column.seeds)
    return f"{number(column.mean)} ±{number(column.spread)} ({column.seeds})"


def gap_words(column: Column) -> str:
    """Return how far evaluation loss lies above training loss: +0.061."""
    return signed(None if column.gap is None else round(column.gap, 3))


def trainable_words(column: Column) -> str:
    """Return how many weights learn at most, and their share of all: 66 k · 0.3 %."""
    return learning_words(column.trainable, column.parameters)


def learning_words(trainable: int | None, parameters: int | None) -> str:
    """Return a count of weights with its share of all: 66 k · 0.3 %."""
    if trainable is None:
        return ABSENT
    return quantity(trainable) + (f" · {percent(trainable / parameters)}" if parameters else "")


def paired_words(test: Paired, run_id: int, baseline_id: int) -> str:
    """Say what the paired test found in one sentence."""
    verdict = "hardly luck" if test.significant else "may be luck"
    return (
        f"same {count(test.examples)} examples: {test.better} right in #{run_id} alone, {test.worse} in "
        f"#{baseline_id} alone; p {p_words(test.p)}, {verdict}"
    )


def p_words(p: float) -> str:
    """Return a p value: never 0, two digits that count."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < SIGNIFICANT * 2 else f"{p:.2f}"


def result_cells(comparison: Comparison) -> list[list[str]]:
    """Return the results: rows of a label and one cell a run, the goal metric first."""
    rows = [_metric_cells(comparison, row) for row in comparison.metrics]
    columns, tests = comparison.columns, comparison.paired
    rows += [
        ["strategy", *(plain(column.strategy) for column in columns)],
        ["gap eval−train", *(gap_words(column) for column in columns)],
        ["overfits from", *(_step(column.overfits_from) for column in columns)],
        ["time", *(duration(column.seconds or None) for column in columns)],
        ["peak memory", *(size(column.peak_bytes) for column in columns)],
        ["trainable", *(trainable_words(column) for column in columns)],
        ["seeds", *(spread_words(column) for column in columns)],
        ["paired p", *(f"{p_words(test.p)}, {test.discordant} differ" if test else ABSENT for test in tests)],
    ]  # fmt: skip
    return [row for row in rows if any(cell != ABSENT for cell in row[1:])]


def setting_cells(comparison: Comparison, every: bool = False) -> list[list[str]]:
    """Return the settings that differ, or every one: rows of a path and one cell a run."""
    settings = comparison.settings if every else comparison.differing()
    return [[plain(row.path), *(ABSENT if text is None else plain(text) for text in row.values)] for row in settings]


def as_text(comparison: Comparison, every: bool = False) -> str:
    """Return the comparison as aligned plain text: results, settings that differ (or `every` one), warnings."""
    heads = ["", *_heads(comparison)]
    parts = ["\n".join(table(result_cells(comparison), heads)), LEGEND]
    settings = setting_cells(comparison, every)
    title = "settings" if every else "settings that differ"
    parts.append("\n".join(table(settings, [title, *heads[1:]])) if settings else "no setting differs")
    notes = "\n".join(f"! {plain(notice.text)}" for notice in comparison.notices)
    return "\n\n".join(part for part in (*parts, notes) if part) + "\n"


def as_csv(comparison: Comparison) -> str:
    """Return results and all settings as CSV, one column a run; full precision, text that no spreadsheet runs."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["", *(f"#{column.run_id} {plain(column.name)}" for column in comparison.columns)])
    for row in comparison.metrics:
        writer.writerow([row.name, *("" if cell is None else exact(cell.best) for cell in row.cells)])
        writer.writerow([f"{row.name} at step", *(exact(cell and cell.best_step) for cell in row.cells)])
    for label, name in _CSV_ROWS.items():
        writer.writerow([label, *(exact(getattr(column, name)) for column in comparison.columns)])
    writer.writerow(["paired p", *("" if test is None else repr(test.p) for test in comparison.paired)])
    for setting in comparison.settings:
        writer.writerow([setting.path, *(harmless(plain(text)) if text else "" for text in setting.values)])
    return out.getvalue()


_CSV_ROWS = {
    "strategy": "strategy", "state": "state", "step": "step", "seconds": "seconds", "peak bytes": "peak_bytes",
    "parameters": "parameters",
    "trainable": "trainable", "gap eval-train": "gap", "overfits from": "overfits_from", "seeds": "seeds",
    "seed mean": "mean", "seed spread": "spread",
}  # fmt: skip


def _metric_cells(comparison: Comparison, row: MetricRow) -> list[str]:
    tests = comparison.paired if row.name == comparison.goal_key else (None,) * len(row.cells)
    cells = [
        f"{best_words(cell)} {delta_words(cell, test)}".rstrip()
        for cell, test in zip(row.cells, tests, strict=True)
    ]  # fmt: skip
    return [metric_words(row.name), *cells]


def _heads(comparison: Comparison) -> list[str]:
    return [
        f"#{column.run_id} {plain(column.name, 28)}" + (" (baseline)" if index == comparison.baseline else "")
        for index, column in enumerate(comparison.columns)
    ]


def _step(step: int | None) -> str:
    return ABSENT if step is None else f"step {count(step)}"


def exact(value: object) -> str:
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)


def harmless(text: str) -> str:
    return f"'{text}" if text[:1] in "=+@" or (text[:1] == "-" and not text[1:2].isdigit()) else text
