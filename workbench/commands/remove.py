"""workbench rm"""

from __future__ import annotations

import click

from store.runs import OPEN
from workbench.commands.common import chosen_runs, group_option, json_option, pass_home, print_json, reading
from workbench.errors import WorkbenchError
from workbench.paths import Home
from workbench.supervision import queue
from workbench.text import plain, plural


@click.command("rm", epilog="Example: workbench rm 3 --yes")
@click.argument("references", metavar="RUN...", nargs=-1)
@group_option
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@json_option
@pass_home
def command(home: Home, references: tuple[str, ...], group: str | None, yes: bool, as_json: bool) -> None:
    """Delete runs, or all of a group; their folders go to the trash."""
    with reading(home) as store:
        found = chosen_runs(store, references, group)
    if group and (still := [run for run in found if run.state in OPEN]):
        raise WorkbenchError(
            f"{plural(len(still), 'run')} of it have not ended",
            where=f"group {group}",
            hint=f"Stop them first: workbench stop --group {group}",
        )
    if not yes:
        named = ", ".join(f"#{run.id} {plain(run.name, 40)}" for run in found)
        click.confirm(f"Delete {named} with all checkpoints and predictions?", abort=True, err=True)
    for run in found:
        queue.delete(home, run)
        if not as_json:
            click.echo(f"Run #{run.id} is deleted; its folder is in {plain(home.trash / run.uid)}")
    if as_json:
        print_json([{"id": run.id, "trash": str(home.trash / run.uid)} for run in found])
