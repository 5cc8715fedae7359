"""workbench group"""

from __future__ import annotations

import click

from workbench.commands.common import json_option, pass_home, print_json, reading
from workbench.insight import group_words
from workbench.insight.groups import read_group, read_groups
from workbench.paths import Home


@click.command(epilog="Example: workbench group sst2 --csv > table.csv")
@click.argument("name", metavar="[NAME]", required=False)
@click.option("--csv", "as_table", is_flag=True, help="Print CSV.")
@json_option
@pass_home
def command(home: Home, name: str | None, as_table: bool, as_json: bool) -> None:
    """Show the groups of runs, or the table of one: mean and deviation over seeds."""
    with reading(home) as store:
        groups = [read_group(store, name)] if name else read_groups(store)
    if as_json:
        print_json(groups[0].to_json() if name else [group.to_json() for group in groups])
    elif name and as_table:
        click.echo(group_words.as_csv(groups[0]), nl=False)
    elif as_table:
        raise click.UsageError("--csv prints the table of one group: name it")
    else:
        click.echo(group_words.as_text(groups[0]) if name else group_words.list_text(groups), nl=False)
