"""workbench demo"""

from __future__ import annotations

import click

from store import runs
from store.connection import read_store
from store.runs import Run
from workbench.commands.common import json_option, pass_home, print_json, run_json
from workbench.commands.follow import follow
from workbench.insight import group_words
from workbench.insight.groups import read_group
from workbench.paths import Home
from workbench.recipe import Recipe, parse
from workbench.supervision import queue

PROMPT = "The queue was long, but the soup made up for it."
STRATEGIES = ("full", "scratch")
SEEDS = range(1, 6)
LABELS = 200


def recipes() -> list[Recipe]:
    """Return the demo's recipes: strategies that differ in where the weights come from, and seeds."""
    return [
        parse(
            {
                "name": f"demo-{strategy}-{seed}",
                "seed": seed,
                "task": "sentiment",
                "data": {"train": "starter:sentiment", "rows": LABELS},
                "backbone": "starter:tiny",
                "strategy": strategy,
                "training": {"epochs": 8, "learning_rate": 5e-4, "max_length": 64},
                "evaluation": {"every": 26},
                "hardware": {"device": "cpu"},
            }
        )
        for strategy in STRATEGIES
        for seed in SEEDS
    ]


def submit(home: Home) -> list[Run]:
    """Queue the demo's runs as a group."""
    return queue.submit_group(home, recipes(), "demo")


@click.command(epilog="Example: workbench demo")
@json_option
@pass_home
def command(home: Home, as_json: bool) -> None:
    """Show what pretraining is worth on 200 short texts: no network, no GPU, two minutes."""
    if not as_json:
        click.echo(
            f"Training a small model on {LABELS} short texts, in the background: from the weights that ship with"
        )
        click.echo("this, and from random ones, with five seeds each. Leaving with ctrl+c ends nothing.\n")
    ended = [follow(home, run, quiet=as_json) for run in submit(home)]
    if as_json:
        print_json([run_json(run) for run in ended])
    else:
        _conclude(home, ended)
    raise SystemExit(0 if all(run.state == "finished" for run in ended) else 1)


def _conclude(home: Home, ended: list[Run]) -> None:
    finished = [run for run in ended if run.state == "finished"]
    with read_store(home.store) as store:
        if len(finished) > 1:
            click.echo("\n" + group_words.as_text(read_group(store, str(ended[0].grp))))
        waiting = len(runs.listing(store, states=runs.OPEN))
    if best := max(finished, key=lambda run: run.best_value or 0.0, default=None):
        click.echo(f'Next: workbench predict {best.id} "{PROMPT}"')
        click.echo("or:   workbench   (the terminal interface: the runs, side by side, and a prompt)")
    if waiting:
        click.echo(f"{waiting} more runs are open: workbench ls")
