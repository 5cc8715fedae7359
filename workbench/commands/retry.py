"""workbench retry"""

from __future__ import annotations

import click

from workbench.commands.common import find_run, json_option, pass_home, print_json, reading, run_json
from workbench.commands.follow import follow
from workbench.paths import Home
from workbench.recipe import loads
from workbench.supervision import retrying
from workbench.text import plain


@click.command(epilog="Example: workbench retry 3 --wait")
@click.argument("run", metavar="RUN")
@click.option("--wait", is_flag=True, help="Print progress and return when the run has ended.")
@json_option
@pass_home
def command(home: Home, run: str, wait: bool, as_json: bool) -> None:
    """Start a run that ran out of memory again, in smaller batches that are added up to the same updates."""
    with reading(home) as store:
        started = retrying.retry(home, find_run(store, run))
    if not as_json:
        training = loads(started.recipe).training
        words = f"batches of {training.batch_size}, {training.accumulation} of them an update"
        click.echo(f"Run #{started.id} {plain(started.name)} is {started.state}: {words}.", err=wait)
    if wait:
        started = follow(home, started, quiet=as_json)
    if as_json:
        print_json(run_json(started))
    elif not wait:
        click.echo(f"Watch it: workbench log {started.id} -f")
    raise SystemExit(1 if wait and started.state not in ("finished", "stopped") else 0)
