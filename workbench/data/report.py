"""What a recipe's data and backbone are, told before a run: asked of a child, for it needs heavy libraries."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from workbench.data.findings import Finding, refusal
from workbench.errors import WorkbenchError
from workbench.recipe import Recipe
from workbench.supervision.environment import ROOT


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
    recipe: Recipe, cache: Path, *, timeout: float = 900, cancelled: Callable[[], bool] = lambda: False
) -> Report:
    """Read the data and the backbone's configuration; raise a WorkbenchError that says what is wrong and where.

    Blocks for some seconds; at most `timeout` seconds, and ends soon after `cancelled` returns True.
    """
    checked = check(recipe, cache, timeout=timeout, cancelled=cancelled)
    if checked.report is None:
        raise refusal(checked.findings)
    return checked.report


def check(
    recipe: Recipe, cache: Path, *, timeout: float = 900, cancelled: Callable[[], bool] = lambda: False
) -> Checked:
    """Have the data doctor examine a recipe's data, as `inspect`; what is wrong with the data is a finding."""
    child = subprocess.Popen(
        [sys.executable, "-m", "workbench.data.inspect", str(cache)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "TOKENIZERS_PARALLELISM": "false"},
        start_new_session=True,
        # Python looks for modules where it is started: a datasets.py beside the data must not be run.
        cwd=ROOT,
    )
    question: str | None = json.dumps(recipe.model_dump(mode="json"))
    waited = 0.0
    while True:
        try:
            output, _ = child.communicate(question, timeout=0.2)
            break
        except subprocess.TimeoutExpired:
            question, waited = None, waited + 0.2
            if waited < timeout and not cancelled():
                continue
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
            raise WorkbenchError(
                "cancelled" if waited < timeout else f"no answer within {timeout:.0f} s",
                where="reading the data",
                hint="Is the file on a slow disk, or the Hub out of reach?",
            ) from None
    return _decode(output, child.returncode)


def _decode(output: str, code: int) -> Checked:
    try:
        answer = json.loads(output)
    except ValueError:
        raise WorkbenchError(f"reading the data ended with exit code {code}", hint="Run `workbench doctor`.") from None
    if "error" in answer:
        raise WorkbenchError(**answer["error"])
    findings = [Finding(**{**each, "rows": tuple(each["rows"])}) for each in answer["findings"]]
    report = answer["report"]
    if report is None:
        return Checked(findings, None)
    warnings = [each for each in findings if each.level == "warning"]
    before = report.pop("first", None)
    first = None if before is None else _report(before, [])
    return Checked(findings, replace(_report(report, warnings), first=first))


def _report(told: dict[str, Any], findings: list[Finding]) -> Report:
    told["preview"] = [(text, label) for text, label in told["preview"]]
    return Report(**told, findings=findings)
