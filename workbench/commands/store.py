"""workbench store"""

from __future__ import annotations

import sqlite3
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from store.connection import StoreError, read_store
from store.upkeep import back_up, damages
from workbench.commands.common import json_option, pass_home, print_json
from workbench.errors import WorkbenchError
from workbench.paths import Home
from workbench.text import plain, plural, size


@click.command(epilog="Example: workbench store check")
@click.argument("action", type=click.Choice(["check", "backup", "rebuild"]))
@click.argument("file", type=click.Path(path_type=Path), required=False)
@json_option
@click.pass_context
@pass_home
def command(home: Home, ctx: click.Context, action: str, file: Path | None, as_json: bool) -> None:
    """Check the store, copy it, or make it anew from the folders of the runs.

    `check` reads every page, and says what is wrong and what to do; the exit code is 1 where something is. `backup
    FILE` writes a whole copy while runs go on. `rebuild` makes a new store from the run folders, takes over from the
    old one what they do not have, and sets the old file aside; runs that train go on.
    """
    if (file is None) == (action == "backup"):
        raise click.UsageError("name a FILE for backup, and for nothing else")
    if action == "check":
        _check(home, as_json)
    elif action == "backup" and file is not None:
        _back_up(home, file.expanduser().absolute(), as_json)
    elif ctx.find_root().params.get("readonly"):
        raise WorkbenchError("--readonly changes nothing", where="store rebuild")
    else:
        _rebuild(home, as_json)


def _check(home: Home, as_json: bool) -> None:
    folders = home.count_folders()
    if not home.store.exists() and not folders:
        raise WorkbenchError("there are no runs here yet", where=str(home.root), hint="Start one: workbench demo")
    found: dict[str, Any] = {"store": str(home.store), "runs": 0, "folders": folders, "wrong": []}
    try:
        with read_store(home.store) as store:
            found["wrong"] = [*([store.warning] if store.warning else []), *damages(store)]
            found["runs"] = store.query("SELECT count(*) FROM run")[0][0]
    except (StoreError, sqlite3.Error) as error:
        found["wrong"].append(str(error).splitlines()[0])
    if as_json:
        print_json(found)
    else:
        click.echo(plain(f"{home.store}: {plural(found['runs'], 'run')}, {plural(folders, 'run folder')}"))
        for words in found["wrong"]:
            click.echo(plain(f"! {words}"))
        click.echo("Make it anew: workbench store rebuild" if found["wrong"] else "It is whole.")
    raise SystemExit(1 if found["wrong"] else 0)


def _back_up(home: Home, file: Path, as_json: bool) -> None:
    with read_store(home.store) as store:
        copied = back_up(store, file)
    if as_json:
        print_json({"copy": str(file), "bytes": copied})
    else:
        click.echo(plain(f"The store is copied to {file} ({size(copied)})"))


def _rebuild(home: Home, as_json: bool) -> None:
    from workbench.rebuilding import rebuild

    rebuilt = rebuild(home)
    if as_json:
        print_json(asdict(rebuilt) | {"old": str(rebuilt.old) if rebuilt.old else None})
        return
    click.echo(f"The store is made anew: {plural(rebuilt.runs, 'run')} from their folders.")
    if rebuilt.taken.rows:
        rows = ", ".join(f"{table} {count}" for table, count in sorted(rebuilt.taken.rows.items()))
        click.echo(f"Taken over from the old store, in rows: {rows}")
    for words in (*rebuilt.left_out, *rebuilt.taken.lost):
        click.echo(plain(f"! {words}"))
    if rebuilt.old:
        click.echo(plain(f"The old file is kept: {rebuilt.old}"))
