"""workbench stop"""

from __future__ import annotations

import time

import click

from store import runs
from workbench.commands.common import find_run, json_option, pass_home, print_json, reading, run_json
from workbench.paths import Home
from workbench.supervision import queue
from workbench.text import plain


@click.command(epilog="Example: workbench stop 3 --wait")
@click.argument("run", metavar="RUN")
@click.option("--wait", is_flag=True, help="Return when the run has ended.")
@json_option
@pass_home
def command(home: Home, run: str, wait: bool, as_json: bool) -> None:
    """Stop a run after its current update, with a checkpoint; a queued one at once."""
    with reading(home) as store:
        found = find_run(store, run)
        words = queue.stop(home, found)
        while wait:
            queue.advance(home)
            now = runs.get(store, found.id)
            if now is None or now.state in runs.ENDED:
                break
            time.sleep(0.2)
        if as_json:
            after = runs.get(store, found.id)
            print_json({"answer": words, "run": run_json(after) if after else None})
        else:
            click.echo(plain(words))
