"""workbench store"""

from __future__ import annotations

import sqlite3
from dataclasses import asdict
from pathlib import Path

import click

from store.connection import StoreError, read_store
from store.upkeep import back_up, damages
from workbench.commands.common import json_option, pass_home, print_json
from workbench.errors import WorkbenchError
from workbench.paths import Home
from workbench.text import plain, plural, size


@click.group(epilog="Example: workbench store check")
def command() -> None:
    """Check the store, copy it, or make it anew from the folders of the runs."""


@command.command(epilog="Example: workbench store check --json")
@json_option
@pass_home
def check(home: Home, as_json: bool) -> None:
    """Read every page of the store, and say what is wrong and what to do. Exit code 1 where something is."""
    found = {"store": str(home.store), "runs": 0, "folders": sum(1 for _ in home.runs.glob("*/run.json"))}
    wrong: list[str] = []
    if not home.store.exists() and not found["folders"]:
        raise WorkbenchError("there are no runs here yet", where=str(home.root), hint="Start one: workbench demo")
    try:
        with read_store(home.store) as store:
            wrong = [store.warning] if store.warning else []
            wrong += damages(store)
            found["runs"] = store.query("SELECT count(*) FROM run")[0][0]
    except (StoreError, sqlite3.Error) as error:
        wrong.append(str(error).splitlines()[0])
    if as_json:
        print_json(found | {"wrong": wrong})
    else:
        words = f"{found['store']}: {plural(int(found['runs']), 'run')}, {plural(int(found['folders']), 'run folder')}"
        click.echo(plain(words))
        for each in wrong:
            click.echo(plain(f"wrong: {each}"))
        click.echo("Make it anew from the run folders: workbench store rebuild" if wrong else "It is whole.")
    raise SystemExit(1 if wrong else 0)


@command.command(epilog="Example: workbench store backup ~/workbench-copy.db")
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@pass_home
def backup(home: Home, file: Path, as_json: bool) -> None:
    """Write a whole copy of the store to FILE, while runs go on. Copy it with nothing else: its log would be missing."""
    with read_store(home.store) as store:
        copied = back_up(store, file.expanduser().absolute())
    if as_json:
        print_json({"copy": str(file), "bytes": copied})
    else:
        click.echo(plain(f"The store is copied to {file} ({size(copied)})"))


@command.command(epilog="Example: workbench store rebuild")
@json_option
@click.pass_context
def rebuild(ctx: click.Context, as_json: bool) -> None:
    """Make the store anew from the folders of the runs; the old file is set aside. Runs that train go on."""
    from workbench.rebuilding import rebuild as make_anew

    if ctx.find_root().params.get("readonly"):
        raise WorkbenchError("--readonly changes nothing", where="store rebuild")
    rebuilt = make_anew(ctx.find_object(Home) or Home(Path()))
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
