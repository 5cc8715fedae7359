"""workbench train"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

import click

from workbench import recipe
from workbench.box import login
from workbench.commands.common import find_run, json_option, pass_home, print_json, reading, run_json, tell_progress
from workbench.commands.follow import follow
from workbench.data.findings import lines
from workbench.data.report import Report, inspect
from workbench.insight.repeats import repeat_of
from workbench.paths import Home
from workbench.recipe import Recipe
from workbench.spreading import Spread, spread
from workbench.supervision import queue
from workbench.text import count, plain, plural, quantity

SOURCES = ("data.train", "data.validation", "strategy.texts")
"""The settings that say where rows are."""


@click.command(epilog="Example: workbench train sst2.toml --set strategy=gradual --set training.epochs=2 --wait")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--like", metavar="RUN", help="Repeat this run, and say whether it came out the same to the bit.")
@click.option("--set", "settings", metavar="KEY=VALUE", multiple=True, help="Change a setting of the recipe.")
@click.option(
    "--over",
    "axes",
    metavar="KEY=V1,V2,…",
    multiple=True,
    help="A run for each of these values; given again, for each combination: one group.",
)
@click.option(
    "--wait", is_flag=True, help="Print progress and return when the run has ended; exit code 1 if it failed."
)
@click.option("--check", is_flag=True, help="Read the recipe and the data, say what they come to, and start nothing.")
@json_option
@pass_home
def command(
    home: Home,
    file: Path | None,
    like: str | None,
    settings: tuple[str, ...],
    axes: tuple[str, ...],
    wait: bool,
    check: bool,
    as_json: bool,
) -> None:
    """Train what a recipe says, in the background.

    FILE is a TOML recipe; see the README for one, or print that of a run with: workbench show RUN --recipe
    """
    if like is not None:
        if file or settings or axes or check:
            raise click.UsageError("--like repeats a run as it is: without FILE, --set, --over and --check")
        _repeat(home, like, wait, as_json)
    if file is None:
        raise click.UsageError("name a recipe, or a run to repeat with --like RUN")
    if axes:
        _train_group(home, spread(recipe.read_raw(file, settings), axes, str(file)), wait, check, as_json)
    plan = recipe.load(file, settings)
    report = inspect(plan, home.create().cache, told=tell_progress())
    if check:
        print_json(asdict(report)) if as_json else _print_report(plan, report)
        return
    warned = _warn_of_logout(home, as_json)
    run = queue.submit(home, plan)
    if warned:
        login.said(home)
    if not as_json:
        for note in report.notes:
            click.echo(f"note: {plain(note)}", err=True)
        for line in lines(report.findings):
            click.echo(line, err=True)
        click.echo(f"Run #{run.id} {plain(run.name)} is {run.state}: {count(report.updates)} updates.", err=wait)
    if wait:
        run = follow(home, run, quiet=as_json)
    if as_json:
        print_json(run_json(run))
    elif not wait:
        on = "" if warned else " It goes on when you log out."
        click.echo(f"Watch it: workbench log {run.id} -f, or open the workbench.{on}")
    raise SystemExit(1 if wait and run.state not in ("finished", "stopped") else 0)


def _repeat(home: Home, reference: str, wait: bool, as_json: bool) -> NoReturn:
    """Queue the recipe of a run again; the exit code is 1 where it is waited for and did not come out the same."""
    with reading(home) as store:
        first = find_run(store, reference)
        run = queue.repeat(home, first, recipe.loads(first.recipe))
        if not as_json:
            click.echo(f"Run #{run.id} {plain(run.name)} repeats run #{first.id}: it is {run.state}.", err=wait)
        if wait:
            run = follow(home, run, quiet=as_json)
        found = repeat_of(store, run)
    if as_json:
        print_json({**run_json(run), "repeat": found.to_json() if found else None})
    elif wait:
        click.echo(found.words if found else "the run that it repeats was deleted")
    else:
        click.echo(f"Whether it came out the same: workbench show {run.id}")
    raise SystemExit(1 if wait and not (run.state in ("finished", "stopped") and found and found.same) else 0)


def _warn_of_logout(home: Home, as_json: bool) -> bool:
    """Say once, before the first start, that logging out would end the run; return whether it was said."""
    words = login.unsaid(home) if not as_json else ""
    if words:
        click.echo(f"warning: {plain(words)}", err=True)
    return bool(words)


def _train_group(home: Home, plan: Spread, wait: bool, check: bool, as_json: bool) -> NoReturn:
    """Check what every recipe of a group reads, then queue them all."""
    for line in () if as_json else (plan.words, *(f"note: {plain(note)}" for note in plan.notes)):
        click.echo(line, err=not check)
    cache, told = home.create().cache, tell_progress()
    reports = {key: inspect(each, cache, told=told) for key, each in {_read_key(r): r for r in plan.recipes}.items()}
    if check:
        made = plan.recipes[-1]
        report = reports[_read_key(made)]
        shown = {"runs": [each.label for each in plan.recipes], "notes": plan.notes, "report": asdict(report)}
        print_json(shown) if as_json else _print_report(made, report)
        raise SystemExit(0)
    warned = _warn_of_logout(home, as_json)
    queued = queue.submit_group(home, plan.recipes, plan.label)
    if warned:
        login.said(home)
    name = queued[0].grp
    if not as_json:
        click.echo(f"Group {plain(name)} is queued: {plural(len(queued), 'run')}.", err=wait)
    if wait:
        queued = [follow(home, run, quiet=as_json) for run in queued]
    if as_json:
        print_json([run_json(run) for run in queued])
    else:
        click.echo(f"See its table: workbench group {plain(name)}", err=wait)
    raise SystemExit(1 if wait and any(run.state not in ("finished", "stopped") for run in queued) else 0)


def _read_key(plan: Recipe) -> str:
    """Return what decides which files a recipe reads, so that those of a group are looked at once."""
    settings = plan.flat()
    paths = (path for path in settings if path.startswith(("task.", "backbone.")) or path in SOURCES)
    return repr([(path, settings[path]) for path in paths])


def steps_of(plan: Recipe, first: Report) -> list[str]:
    """Return what the two runs of a recipe that pretrains first do, a line each."""
    options: Any = plan.strategy
    rows, updates = plural(first.rows, "text"), plural(first.updates, "update")
    return [
        f"first run   pretraining on {rows} of {plain(options.texts)}, {updates}",
        f"second run  {options.then} on the labelled rows, from the model of the first",
    ]


def _print_report(plan: Recipe, report: Report) -> None:
    click.echo(f"train       {count(report.rows)} rows, {report.encoding}")
    click.echo(f"evaluation  {count(report.validation_rows)} rows, every {count(report.evaluation_every)} updates")
    click.echo("columns     " + ", ".join(f"{plain(name)} ({plain(holds)})" for name, holds in report.types.items()))
    for role, column in report.chosen.items():
        click.echo(f"{role:11} {plain(column)}")
    if report.labels:
        click.echo(
            "labels      " + ", ".join(f"{plain(label)} {count(number)}" for label, number in report.labels.items())
        )
    click.echo(f"updates     {count(report.updates)}")
    click.echo(f"backbone    {plain(plan.backbone.name)}, {quantity(report.parameters)} weights")
    if report.first is not None:
        for line in steps_of(plan, report.first):
            click.echo(line)
    else:
        weights = "random weights" if plan.starts_random else "pretrained weights"
        click.echo(f"strategy    {plan.strategy.name}, {weights}")
    for text, right in report.preview:
        click.echo(f"  {plain(right, 20)}: {plain(text, 90)}")
    for note in report.notes:
        click.echo(f"note: {plain(note)}")
    for line in lines(report.findings):
        click.echo(line)
