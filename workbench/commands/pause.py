"""workbench pause"""

from __future__ import annotations

import click

from workbench.commands.asking import ask
from workbench.commands.common import group_option, json_option, pass_home
from workbench.paths import Home


@click.command(epilog="Example: workbench pause 3 --wait")
@click.argument("run", metavar="RUN", required=False)
@group_option
@click.option("--wait", is_flag=True, help="Return when the run has ended.")
@json_option
@pass_home
def command(home: Home, run: str | None, group: str | None, wait: bool, as_json: bool) -> None:
    """Pause a run after its current update, with a checkpoint: its device is free until `resume`. Or a group."""
    ask(home, run, group, "pause", wait=wait, as_json=as_json)
