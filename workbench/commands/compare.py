"""workbench compare"""

from __future__ import annotations

import click

from workbench.commands.common import find_run, json_option, pass_home, print_json, reading
from workbench.insight.compare import compare
from workbench.insight.words import as_csv, as_text
from workbench.paths import Home


@click.command(epilog="Example: workbench compare 1 2 3 --csv > table.csv")
@click.argument("references", metavar="RUN RUN...", nargs=-1, required=True)
@click.option("--all", "every", is_flag=True, help="Show every setting, not only those that differ.")
@click.option("--csv", "as_table", is_flag=True, help="Print CSV.")
@json_option
@pass_home
def command(home: Home, references: tuple[str, ...], every: bool, as_table: bool, as_json: bool) -> None:
    """Compare runs with the first one named."""
    with reading(home) as store:
        comparison = compare(store, [find_run(store, reference).id for reference in references])
    if as_json:
        print_json(comparison.to_json())
    else:
        click.echo(as_csv(comparison) if as_table else as_text(comparison, every), nl=not as_table)
