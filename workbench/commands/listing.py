"""workbench ls"""

from __future__ import annotations

import time

import click

from store import runs
from workbench.commands.common import (
    json_option,
    pass_home,
    print_json,
    reading,
    run_json,
    score_words,
    stalled_of,
    state_words,
)
from workbench.paths import Home
from workbench.text import ago, duration, plain, table

STALLED = "stalled"
STATES = (*runs.OPEN, STALLED, *runs.ENDED)


@click.command("ls", epilog="Example: workbench ls --state running --json")
@click.option("--state", type=click.Choice(STATES), multiple=True, help="Only runs in this state; may be given again.")
@click.option("-n", "--limit", type=click.IntRange(1, 10**9), default=50, show_default=True, help="At most this many.")
@json_option
@pass_home
def command(home: Home, state: tuple[str, ...], limit: int, as_json: bool) -> None:
    """List runs, newest first."""
    with reading(home) as store:
        wanted = [*state, *(runs.ACTIVE if STALLED in state else ())]
        listed = runs.listing(store, states=[each for each in wanted if each != STALLED], limit=limit)
        stalled = {run.id: stalled_of(home, run) for run in listed}
    found = [run for run in listed if not state or run.state in state or stalled[run.id]]
    if as_json:
        print_json([run_json(run, stalled[run.id]) for run in found])
        return
    now = time.time()
    rows = [
        [
            str(run.id),
            plain(run.name, 40),
            plain(run.task, 20),
            plain(run.backbone.rpartition("/")[2], 24),
            plain(run.strategy, 16),
            state_words(run, stalled[run.id]),
            score_words(run),
            duration(run.seconds) if run.seconds else "—",
            ago(run.ended or (now if run.active else run.created), now),
        ]
        for run in found
    ]
    heads = ["run", "name", "task", "backbone", "strategy", "state", "best", "time", "age"]
    for line in table(rows, heads, ["right"]) if rows else ["No runs in this state." if state else "No runs."]:
        click.echo(line)
