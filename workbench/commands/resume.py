"""workbench resume"""

from __future__ import annotations

import click

from workbench.commands.common import find_run, json_option, pass_home, print_json, reading, run_json
from workbench.commands.follow import follow
from workbench.paths import Home
from workbench.supervision import queue


@click.command(epilog="Example: workbench resume 3 --wait")
@click.argument("run", metavar="RUN")
@click.option("--wait", is_flag=True, help="Print progress and return when the run has ended.")
@json_option
@pass_home
def command(home: Home, run: str, wait: bool, as_json: bool) -> None:
    """Go on with a run from its newest checkpoint, exactly as if it had never ended."""
    with reading(home) as store:
        resumed = queue.resume(home, find_run(store, run))
    if wait:
        resumed = follow(home, resumed, quiet=as_json)
    if as_json:
        print_json(run_json(resumed))
    elif not wait:
        click.echo(f"Run #{resumed.id} is {resumed.state}. Watch it: workbench log {resumed.id} -f")
    raise SystemExit(1 if wait and resumed.state not in ("finished", "stopped") else 0)
