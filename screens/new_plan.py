"""What a run would do, in words: rows, labels, updates, memory, time, what is new in it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

from textual.content import Content

from screens.new_form import SETS
from workbench.data.findings import Finding
from workbench.data.report import Report
from workbench.errors import WorkbenchError
from workbench.insight.nearest import Nearest
from workbench.insight.settings import Setting, decides, differing_in
from workbench.recipe import Recipe
from workbench.text import ABSENT, count, duration, plain, plural, quantity, size

_ADAM_BYTES = 16
"""Bytes a weight that learns takes in 32 bits: itself, its gradient and Adam's two moments."""
_READ = (
    "task.", "data.", "backbone.", "strategy.name", "strategy.texts", "strategy.rows", "strategy.epochs",
    "seed", "training.epochs", "training.batch_size",
    "training.accumulation", "training.max_length", "evaluation.every",
)  # fmt: skip
_SPEED = ("backbone.", "training.batch_size", "training.accumulation", "training.max_length", "training.precision")


@dataclass(frozen=True)
class Plan:
    """What is known of a draft: its problems, or its recipe with what was found out so far."""

    problems: tuple[str, ...] = ()
    recipe: Recipe | None = None
    nearest: Nearest | None = None
    report: Report | None = None
    error: WorkbenchError | None = None
    checking: bool = False
    fetching: str = ""
    logout: str = ""

    @property
    def refusal(self) -> str:
        """Why it cannot be started, or nothing; a check that was cancelled or too slow does not refuse."""
        if self.problems:
            return self.problems[0]
        slow = self.error is not None and (self.error.what == "cancelled" or self.error.what.startswith("no answer"))
        return str(self.error) if self.error and not slow else ""


def read_key(recipe: Recipe) -> str:
    """Return what a report depends on: two recipes of the same key have the same report."""
    return repr([(path, value) for path, value in recipe.flat().items() if path.startswith(_READ)])


def plan_lines(plan: Plan, cells: int) -> Content:
    """Return the plan, the most important first."""
    if plan.problems:
        return _join([(" ✗ ", "$text-error", line) for line in plan.problems], cells)
    lines: list[tuple[str, str, str]] = [(" ! ", "$text-warning", plan.logout)] if plan.logout else []
    if plan.error is not None:
        where = f"{plan.error.where}: " if plan.error.where else ""
        lines.append((" ✗ ", "$text-error", where + plan.error.what))
        lines += [("   ", "$foreground-muted", plan.error.hint)] if plan.error.hint else []
    elif plan.report is not None:
        lines += [("   ", "", line) for line in _facts(plan)]
        lines += [(" ! ", "$text-warning", finding_words(finding)) for finding in plan.report.findings]
        lines += [("   ", "$foreground-muted", note) for note in plan.report.notes]
    elif plan.checking:
        done = plan.fetching or "reading data and backbone …"
        lines.append(("   ", "$foreground-muted", f"{done} ^x ends it, ^s starts all the same"))
    if plan.nearest is not None:
        lines.append(("   ", "", difference_words(plan.nearest)))
    if plan.report is not None:
        lines += [("   ", "$foreground-muted", _row(text, label, cells)) for text, label in plan.report.preview]
    return _join(lines, cells)


def _facts(plan: Plan) -> list[str]:
    report, recipe = plan.report, plan.recipe
    assert report is not None
    lines = [_first_run(recipe, report.first)] if recipe and report.first else []
    learned = f"{plural(report.updates, 'update')} over {plural(report.rows, 'row')}"
    lines += [f"{learned}, evaluated every {count(report.evaluation_every)} on {count(report.validation_rows)}"]
    lines += [f"takes {time}"] if (time := _time(plan)) else []
    if report.parameters is not None:
        random = " random" if recipe and recipe.starts_random and not report.first else ""
        most = "up to " if recipe and recipe.backbone.name.startswith("size:") else ""
        words = f"{most}{quantity(report.parameters)}{random} weights"
        lines.append(f"{words}, {size(report.parameters * _ADAM_BYTES)} with gradients and optimiser")
    lines.append("   ".join(f"{role} ▸ {column}" for role, column in report.chosen.items()))
    lines += [f"labels: {label_words(report.labels)}"] if report.labels else []
    return lines


def _first_run(recipe: Recipe, first: Report) -> str:
    """Return what the run on raw texts does that comes first, and how the second goes on."""
    options: Any = recipe.strategy
    done = f"{plural(first.updates, 'update')} over {plural(first.rows, 'raw text')}"
    return f"first a run that pretrains: {done}; then {options.then}:"


def finding_words(finding: Finding) -> str:
    """Return what the data doctor found, and what to do about it."""
    return f"{finding.words}. {finding.remedy}"


def label_words(labels: dict[str, int], shown: int = 4) -> str:
    """Return the labels with their counts, the first few: negative 301, positive 299."""
    words = [f"{plain(name, 20)} {count(number)}" for name, number in list(labels.items())[:shown]]
    return ", ".join(words) + (f" and {len(labels) - shown} more" if len(labels) > shown else "")


def _time(plan: Plan) -> str:
    """Return how long it takes if it goes as fast as an earlier run that differs in nothing that decides speed."""
    if plan.nearest is None or plan.report is None:
        return ""
    run, apart = plan.nearest.run, plan.nearest.differences
    if run.step < 10 or not run.seconds or any(row.path.startswith(_SPEED) for row in apart):
        return ""
    return f"about {duration(run.seconds / run.step * plan.report.updates)} at the pace of #{run.id}"


def difference_words(nearest: Nearest) -> str:
    """Return what is new against the nearest run: as #30 sst2 but strategy full → gradual, learning rate …."""
    run, apart = nearest.run, nearest.differences
    named = f"#{run.id} {plain(run.name, 28)}"
    if not any(decides(row.path) for row in apart):
        seeds = [row for row in apart if row.path == "seed"]
        if seeds:
            return f"as {named}, with another seed: tells how much is luck"
        return f"the same as {named} (seed too)"
    main = differing_in(apart, 0, 1)
    return f"as {named} but {', '.join(_change(row) for row in main)}"


def _change(row: Setting) -> str:
    if row.path == SETS:
        old, new = (str(len(json.loads(value or "[]"))) for value in row.values)
        return f"more sets {old} → {new}"
    old, new = (ABSENT if value is None else plain(value.rpartition("/")[2] or value, 24) for value in row.values)
    return f"{row.words} {old} → {new}"


def _row(text: str, label: str, cells: int) -> str:
    shown = plain(label, 16)
    return f"{shown}  {plain(text, max(10, cells - len(shown) - 8))}"


def _join(lines: Sequence[tuple[str, str, str]], cells: int) -> Content:
    """Return lines of (mark, style, text), each with its further lines under its first."""
    parts: list[tuple[str, str]] = []
    for mark, style, text in lines:
        found = [part for line in plain(text, newlines=True).split("\n") for part in wrap(line, max(20, cells - 4))]
        for index, line in enumerate(found):
            parts.append((mark if index == 0 else "   ", style))
            parts.append((f"{line}\n", style if not mark.strip() else ""))
    return Content.assemble(*parts).rstrip()
