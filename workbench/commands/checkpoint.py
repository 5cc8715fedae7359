"""workbench checkpoint"""

from __future__ import annotations

import click

from workbench.commands.asking import ask
from workbench.commands.common import group_option, json_option, pass_home
from workbench.paths import Home


@click.command(epilog="Example: workbench checkpoint 3")
@click.argument("run", metavar="RUN", required=False)
@group_option
@json_option
@pass_home
def command(home: Home, run: str | None, group: str | None, as_json: bool) -> None:
    """Save a checkpoint of a run after its current update; it goes on. Or of all runs of a group."""
    ask(home, run, group, "checkpoint", as_json=as_json)
