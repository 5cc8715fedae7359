"""workbench stop"""

from __future__ import annotations

import time
from typing import Any

import click

from store import runs
from store.connection import Store
from store.runs import Run
from workbench.commands.common import chosen_runs, group_option, json_option, pass_home, print_json, reading, run_json
from workbench.paths import Home
from workbench.supervision import queue
from workbench.text import plain


@click.command(epilog="Example: workbench stop 3 --wait")
@click.argument("run", metavar="RUN", required=False)
@group_option
@click.option("--wait", is_flag=True, help="Return when the run has ended.")
@json_option
@pass_home
def command(home: Home, run: str | None, group: str | None, wait: bool, as_json: bool) -> None:
    """Stop a run after its current update, with a checkpoint; a queued one at once. Or all runs of a group."""
    with reading(home) as store:
        found = chosen_runs(store, (run,) if run else (), group)
        if group:
            # The queued ones first: none of them shall start in the place of one that ends.
            found = sorted((each for each in found if each.state in runs.OPEN), key=lambda each: each.active)
        answers = [(each, queue.stop(home, each)) for each in found]
        for each in found if wait else ():
            _wait(home, store, each)
        told = [_told(store, each, words) for each, words in answers]
    if as_json:
        print_json(told if group else told[0])
        return
    for _, words in answers:
        click.echo(plain(words))
    if not answers:
        click.echo("Every run of the group has ended.")


def _wait(home: Home, store: Store, run: Run) -> None:
    """Return when a run has ended or is gone."""
    while (now := runs.get(store, run.id)) is not None and now.state not in runs.ENDED:
        queue.advance(home)
        time.sleep(0.2)


def _told(store: Store, run: Run, words: str) -> dict[str, Any]:
    after = runs.get(store, run.id)
    return {"answer": words, "run": run_json(after) if after else None}
