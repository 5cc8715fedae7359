"""workbench data"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from workbench import recipe
from workbench.catalog import TASKS
from workbench.commands.common import json_option, pass_home, print_json, tell_progress
from workbench.data.findings import lines, summary
from workbench.data.report import Checked, check
from workbench.paths import Home
from workbench.recipe import Recipe
from workbench.text import count, plain

TOKENIZER = "size:mini"
"""The backbone where none is named: its tokenizer is made of the data themselves."""


@click.command(epilog="Example: workbench data check reviews.csv --task sentiment --json")
@click.argument("action", type=click.Choice(["check"]))
@click.argument("source", metavar="SOURCE")
@click.option("--task", type=click.Choice(list(TASKS)), help="What the rows are for, where SOURCE is no recipe.")
@click.option("--validation", metavar="FILE", help="The rows to evaluate on.")
@click.option("--backbone", help="Whose tokens are counted.")
@click.option("--set", "settings", metavar="KEY=VALUE", multiple=True, help="Change a setting of the recipe.")
@json_option
@pass_home
def command(
    home: Home,
    action: str,
    source: str,
    task: str | None,
    validation: str | None,
    backbone: str | None,
    settings: tuple[str, ...],
    as_json: bool,
) -> None:
    """Say what is wrong or doubtful about data, with file, row and remedy, before a model is loaded.

    SOURCE is a recipe (FILE.toml), or data as a recipe names them: a file, a folder, starter:NAME. The exit code is 1
    where something is wrong that keeps a run from starting.
    """
    plan = _plan(source, task, validation, backbone, settings)
    checked = check(plan, home.create().cache, told=tell_progress())
    if as_json:
        print_json(asdict(checked))
    else:
        _print(plan, checked)
    raise SystemExit(1 if checked.report is None else 0)


def _plan(
    source: str, task: str | None, validation: str | None, backbone: str | None, settings: tuple[str, ...]
) -> Recipe:
    """Return the recipe that a run on these data would have."""
    named = [("task.name", task), ("data.validation", validation), ("backbone.name", backbone)]
    laid = [*(f"{path}={value}" for path, value in named if value), *settings]
    if source.endswith(".toml"):
        return recipe.load(Path(source), laid)
    if task is None:
        raise click.UsageError("name the task that the rows are for, such as --task sentiment")
    raw = {"task": task, "data": source, "backbone": TOKENIZER, "strategy": "full"}
    return recipe.parse(recipe.overlay(raw, laid), "the command line")


def _print(plan: Recipe, checked: Checked) -> None:
    report = checked.report
    if report is not None:
        columns = ", ".join(f"{role} ▸ {column}" for role, column in report.chosen.items())
        click.echo(f"{count(report.rows)} rows to train on, {count(report.validation_rows)} to evaluate on")
        click.echo(f"{plan.task.name}: {plain(columns)}")
        for note in report.notes:
            click.echo(f"note: {plain(note)}")
    for line in lines(checked.findings):
        click.echo(line)
    click.echo(summary(checked.findings))
