"""workbench doctor"""

from __future__ import annotations

import click

from workbench.box.health import examine
from workbench.commands.common import json_option, pass_home, print_json
from workbench.paths import Home
from workbench.text import plain

MARKS = {"ok": "ok  ", "warn": "WARN", "bad": "BAD "}


@click.command(epilog="Example: workbench doctor --json")
@click.option("--hub", is_flag=True, help="Ask the Hub too, for 9 seconds at most.")
@json_option
@pass_home
def command(home: Home, hub: bool, as_json: bool) -> None:
    """Check this box, and say what each finding means and how to mend it. Exit code 1 if something must be mended."""
    findings = examine(home, ask_hub=hub)
    if as_json:
        print_json([vars(finding) for finding in findings])
    else:
        for finding in findings:
            click.echo(f"{MARKS[finding.level]}  {finding.subject}: {plain(finding.found)}")
            if finding.remedy:
                click.echo(f"      → {plain(finding.remedy)}")
    raise SystemExit(1 if any(finding.level == "bad" for finding in findings) else 0)
