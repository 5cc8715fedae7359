"""workbench evaluate"""

from __future__ import annotations

import click

from workbench.commands.asking import ask
from workbench.commands.common import group_option, json_option, pass_home
from workbench.paths import Home


@click.command(epilog="Example: workbench evaluate 3")
@click.argument("run", metavar="RUN", required=False)
@group_option
@json_option
@pass_home
def command(home: Home, run: str | None, group: str | None, as_json: bool) -> None:
    """Evaluate a run after its current update, out of turn: it goes on as if nobody had. Or a group."""
    ask(home, run, group, "evaluate", as_json=as_json)
