"""What a recipe's data and backbone are, told before a run: asked of a child, for it needs heavy libraries."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from workbench.data.findings import Finding, refusal
from workbench.errors import WorkbenchError
from workbench.models.hub import fetch_missing
from workbench.recipe import Recipe
from workbench.supervision.environment import ROOT, allowed


@dataclass(frozen=True)
class Report:
    """`types` says what each column holds, in words, `encoding` how the rows are written; `chosen` maps role → column.

    `labels` counts the training rows of each label, where the task has labels; `preview` holds rows as (what is asked,
    right answer); `updates` is how many the run takes, were every row one of a batch; `parameters` counts the
    backbone's weights, None where unknown. `first` is the report of the run on raw texts before it, if there is one.
    """

    rows: int
    validation_rows: int
    columns: list[str]
    types: dict[str, str]
    encoding: str
    chosen: dict[str, str]
    labels: dict[str, int]
    preview: list[tuple[str, str]]
    updates: int
    evaluation_every: int
    parameters: int | None
    notes: list[str]
    findings: list[Finding]
    first: Report | None = None


@dataclass(frozen=True)
class Checked:
    """What the data doctor found; `report` is None where an error is among it."""

    findings: list[Finding]
    report: Report | None


def inspect(
    recipe: Recipe,
    cache: Path,
    *,
    timeout: float = 900,
    cancelled: Callable[[], bool] = lambda: False,
    told: Callable[[str], None] = lambda words: None,
) -> Report:
    """Read the data and the backbone's configuration; raise a WorkbenchError that says what is wrong and where.

    What the recipe names of the Hub is fetched before; `told` hears how far that is. Blocks for some seconds, after
    that for at most `timeout` seconds, and ends soon after `cancelled` returns True.
    """
    checked = check(recipe, cache, timeout=timeout, cancelled=cancelled, told=told)
    if checked.report is None:
        raise refusal(checked.findings)
    return checked.report


def check(
    recipe: Recipe,
    cache: Path,
    *,
    timeout: float = 900,
    cancelled: Callable[[], bool] = lambda: False,
    told: Callable[[str], None] = lambda words: None,
) -> Checked:
    """Have the data doctor examine a recipe's data, as `inspect`; what is wrong with the data is a finding."""
    unheard = fetch_missing(recipe, cache, cancelled=cancelled, told=told)
    return _decode(*_read(recipe, cache, timeout, cancelled), unheard, cache)


def _read(recipe: Recipe, cache: Path, timeout: float, cancelled: Callable[[], bool]) -> tuple[str, int]:
    """Return what the child says that reads everything, offline, and its exit code."""
    child = subprocess.Popen(
        [sys.executable, "-m", "workbench.data.inspect", str(cache)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=allowed(os.environ),
        start_new_session=True,
        # Python looks for modules where it is started: a datasets.py beside the data must not be run.
        cwd=ROOT,
    )
    question: str | None = json.dumps(recipe.model_dump(mode="json"))
    waited = 0.0
    try:
        while True:
            try:
                return child.communicate(question, timeout=0.2)[0], child.returncode
            except subprocess.TimeoutExpired:
                question, waited = None, waited + 0.2
            if waited < timeout and not cancelled():
                continue
            raise WorkbenchError(
                "cancelled" if waited < timeout else f"no answer within {timeout:.0f} s",
                where="reading the data",
                hint="Is the file on a slow disk?",
            )
    finally:
        if child.returncode is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()


def _decode(output: str, code: int, unheard: Mapping[str, str], cache: Path) -> Checked:
    """Return what the child said; of what the Hub did not give, why it did not."""
    try:
        answer = json.loads(output)
    except ValueError:
        raise WorkbenchError(f"reading the data ended with exit code {code}", hint="Run `workbench doctor`.") from None
    if "error" in answer:
        raise WorkbenchError(**answer["error"])
    findings = [Finding(**{**each, "rows": tuple(each["rows"])}) for each in answer["findings"]]
    findings = [
        replace(each, what=f"neither the Hub nor the cache in {cache} gives it: {unheard[each.where]}")
        if each.code == "hub" and each.where in unheard
        else each
        for each in findings
    ]
    report = answer["report"]
    if report is None:
        return Checked(findings, None)
    warnings = [each for each in findings if each.level == "warning"]
    report["notes"] += [f"{where} is what the cache has: {reason}" for where, reason in unheard.items()]
    before = report.pop("first", None)
    first = None if before is None else _report(before, [])
    return Checked(findings, replace(_report(report, warnings), first=first))


def _report(told: dict[str, Any], findings: list[Finding]) -> Report:
    told["preview"] = [(text, label) for text, label in told["preview"]]
    return Report(**told, findings=findings)
