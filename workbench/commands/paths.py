"""workbench paths"""

from __future__ import annotations

import click

from workbench.catalog import hub_cache
from workbench.commands.common import json_option, pass_home, print_json
from workbench.paths import Home
from workbench.text import plain, table


@click.command(epilog="Example: workbench --home /data/me paths")
@json_option
@pass_home
def command(home: Home, as_json: bool) -> None:
    """Print where things are."""
    places = {
        "home": home.root,
        "store": home.store,
        "runs": home.runs,
        "trash": home.trash,
        "cache": home.cache,
        "logs": home.logs,
        "hub cache": hub_cache(),
    }
    if as_json:
        print_json({name: str(path) for name, path in places.items()})
        return
    for line in table([[name, plain(path)] for name, path in places.items()]):
        click.echo(line)
