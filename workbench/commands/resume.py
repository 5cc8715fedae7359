"""workbench resume"""

from __future__ import annotations

import click

from workbench.commands.common import chosen_runs, group_option, json_option, pass_home, print_json, reading, run_json
from workbench.commands.follow import follow
from workbench.paths import Home
from workbench.supervision import queue


@click.command(epilog="Example: workbench resume 3 --wait")
@click.argument("run", metavar="RUN", required=False)
@group_option
@click.option("--wait", is_flag=True, help="Print progress and return when the run has ended.")
@json_option
@pass_home
def command(home: Home, run: str | None, group: str | None, wait: bool, as_json: bool) -> None:
    """Go on with a run from its newest checkpoint, exactly as if it had never ended. Or with all of a group."""
    with reading(home) as store:
        found = chosen_runs(store, (run,) if run else (), group)
        if group:
            found = [each for each in found if each.state in queue.RESUMABLE]
        resumed = [queue.resume(home, each) for each in found]
    if wait:
        resumed = [follow(home, each, quiet=as_json) for each in resumed]
    if as_json:
        print_json([run_json(each) for each in resumed] if group else run_json(resumed[0]))
    elif not wait:
        for each in resumed:
            click.echo(f"Run #{each.id} is {each.state}. Watch it: workbench log {each.id} -f")
        if not resumed:
            click.echo("No run of the group can be resumed.")
    raise SystemExit(1 if wait and any(each.state not in ("finished", "stopped") for each in resumed) else 0)
