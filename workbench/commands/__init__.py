"""The commands: the face of the workbench for scripts and screen readers. One file each; no torch, no Textual."""

from __future__ import annotations

import importlib
import sqlite3
from typing import Any

import click

from store.connection import StoreError
from store.errors import explained
from workbench import __version__
from workbench.errors import WorkbenchError
from workbench.paths import exposures, find_home
from workbench.redaction import redact
from workbench.text import plain

COMMANDS = {
    "demo": "demo",
    "train": "train",
    "data": "data",
    "ls": "listing",
    "show": "show",
    "log": "log",
    "compare": "compare",
    "group": "group",
    "predict": "predict",
    "queue": "waiting",
    "stop": "stop",
    "pause": "pause",
    "resume": "resume",
    "checkpoint": "checkpoint",
    "evaluate": "evaluate",
    "retry": "retry",
    "rm": "remove",
    "paths": "paths",
    "store": "store",
    "doctor": "doctor",
}
"""Command → the module that holds it, loaded when it is asked for."""

CHANGING = ("demo", "train", "stop", "pause", "resume", "checkpoint", "evaluate", "retry", "rm")
"""The commands that --readonly refuses; `queue` looks, and refuses to move a run by itself."""

TROUBLE = 2
"""Exit code where a command could not do what it was asked: usage, recipe, store."""


class Commands(click.Group):
    """A group that loads a command's module when the command is asked for, and tells errors meant for people."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"workbench.commands.{COMMANDS[cmd_name]}").command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (WorkbenchError, StoreError) as error:
            click.echo("error: " + plain(redact(str(error)), newlines=True), err=True)
            ctx.exit(TROUBLE)
        except sqlite3.Error as error:
            click.echo("error: " + plain(explained(error), newlines=True), err=True)
            ctx.exit(TROUBLE)


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Without a command the terminal interface opens. Example: workbench demo",
)
@click.option("--home", metavar="DIR", help="Where the store and the runs live (also WORKBENCH_HOME).")
@click.option("--ascii", is_flag=True, help="Draw with ASCII alone.")
@click.option("--no-mouse", is_flag=True, help="Leave the mouse to the terminal.")
@click.option("--readonly", is_flag=True, help="Look only: start, stop and delete nothing.")
@click.version_option(__version__, "-V", "--version", prog_name="workbench")
@click.pass_context
def commands(ctx: click.Context, home: str | None, ascii: bool, no_mouse: bool, readonly: bool) -> None:
    """Pretrain and fine-tune transformers from a terminal."""
    ctx.obj = find_home(home)
    if readonly and ctx.invoked_subcommand in CHANGING:
        raise WorkbenchError("--readonly starts, stops and deletes nothing", where=ctx.invoked_subcommand)
    for what, remedy in exposures(ctx.obj.root) if ctx.invoked_subcommand in CHANGING else ():
        click.echo(f"warning: {plain(what)}. {plain(remedy)}", err=True)
    if ctx.invoked_subcommand is None:
        from workbench.__main__ import open_app

        ctx.exit(open_app(ctx.obj, ascii=ascii, mouse=not no_mouse, readonly=readonly))
