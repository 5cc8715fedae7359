"""workbench rm"""

from __future__ import annotations

import click

from workbench.commands.common import find_run, json_option, pass_home, print_json, reading
from workbench.paths import Home
from workbench.supervision import queue
from workbench.text import plain


@click.command("rm", epilog="Example: workbench rm 3 --yes")
@click.argument("references", metavar="RUN...", nargs=-1, required=True)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@json_option
@pass_home
def command(home: Home, references: tuple[str, ...], yes: bool, as_json: bool) -> None:
    """Delete runs; their folders go to the trash."""
    with reading(home) as store:
        found = [find_run(store, reference) for reference in references]
    if not yes:
        named = ", ".join(f"#{run.id} {plain(run.name, 40)}" for run in found)
        click.confirm(f"Delete {named} with all checkpoints and predictions?", abort=True, err=True)
    for run in found:
        queue.delete(home, run)
        if not as_json:
            click.echo(f"Run #{run.id} is deleted; its folder is in {plain(home.trash / run.uid)}")
    if as_json:
        print_json([{"id": run.id, "trash": str(home.trash / run.uid)} for run in found])
