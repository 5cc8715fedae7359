"""workbench demo"""

from __future__ import annotations

import click

from store import runs
from store.connection import read_store
from store.runs import Run
from workbench.commands.common import json_option, pass_home, print_json, run_json
from workbench.commands.follow import follow
from workbench.insight.compare import compare
from workbench.insight.words import as_text
from workbench.paths import Home
from workbench.recipe import Recipe, parse
from workbench.supervision import queue

PROMPT = "The queue was long, but the soup made up for it."
STRATEGIES = {
    "scratch": {"name": "scratch"},
    "gradual": {"name": "gradual", "unfrozen_by": 0.3},
    "full": {"name": "full"},
}
UPDATES_PER_EPOCH = 47


def recipes() -> list[Recipe]:
    """Return the demo's three recipes: they differ in the strategy alone."""
    return [
        parse(
            {
                "name": f"demo-{name}",
                "task": "sentiment",
                "data": "starter:sentiment",
                "backbone": "size:tiny",
                "strategy": strategy,
                "training": {"epochs": 6, "max_length": 64},
                "evaluation": {"every": UPDATES_PER_EPOCH},
                "hardware": {"device": "cpu"},
            }
        )
        for name, strategy in STRATEGIES.items()
    ]


@click.command(epilog="Example: workbench demo")
@json_option
@pass_home
def command(home: Home, as_json: bool) -> None:
    """Train a small sentiment model three ways and compare them: no network, no GPU, about a minute."""
    if not as_json:
        click.echo("Training a small model on 739 short texts, three ways, one after the other, in the background.")
        click.echo("No starter backbone has pretrained weights yet: all three start from random ones, and so")
        click.echo("'full' and 'scratch' are the same experiment here. Leaving with ctrl+c ends nothing.\n")
    queued = [queue.submit(home, plan, grp="demo") for plan in recipes()]
    ended = [follow(home, run, quiet=as_json) for run in queued]
    if as_json:
        print_json([run_json(run) for run in ended])
    else:
        _conclude(home, ended)
    raise SystemExit(0 if all(run.state == "finished" for run in ended) else 1)


def _conclude(home: Home, ended: list[Run]) -> None:
    with read_store(home.store) as store:
        finished = [run for run in ended if run.state == "finished"]
        if len(finished) > 1:
            click.echo("\n" + as_text(compare(store, [run.id for run in finished])))
        best = max(finished, key=lambda run: run.best_value or 0.0, default=None)
        waiting = len(runs.listing(store, states=runs.OPEN))
    if best:
        click.echo(f'\nNext: workbench predict {best.id} "{PROMPT}"')
        click.echo("or:   workbench   (the terminal interface: the three runs, side by side, and a prompt)")
    if waiting:
        click.echo(f"{waiting} more runs are open: workbench ls")
