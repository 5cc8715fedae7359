"""workbench log"""

from __future__ import annotations

import time
from datetime import datetime

import click

from store import events, runs
from store.connection import Store
from store.events import Event
from workbench.commands.common import (
    find_run,
    json_option,
    pass_home,
    print_json,
    reading,
    stalled_of,
    stalled_words,
    state_words,
)
from workbench.errors import WorkbenchError
from workbench.paths import Home
from workbench.text import plain, redact

FOLLOW_SECONDS = 0.25


@click.command(epilog="Example: workbench log 3 -f")
@click.argument("run", metavar="RUN")
@click.option("-f", "--follow", is_flag=True, help="Go on until the run ends.")
@click.option("--raw", is_flag=True, help="Print what the worker wrote to its own log file.")
@json_option
@pass_home
def command(home: Home, run: str, follow: bool, raw: bool, as_json: bool) -> None:
    """Print what a run did and when."""
    with reading(home) as store:
        found = find_run(store, run)
        if raw:
            _print_raw(home, found.uid)
        elif as_json:
            print_json([vars(event) for event in events.listing(store, found.id)])
        else:
            _print(home, store, found.id, follow)


def _print(home: Home, store: Store, run_id: int, follow: bool) -> None:
    last, stood_still = 0, False
    while True:
        run = runs.get(store, run_id)
        for event in events.listing(store, run_id, after=last):
            click.echo(line_of(event))
            last = event.id
        if not follow or run is None or run.state in runs.ENDED:
            if run is not None and run.waits:
                click.echo(state_words(run))
            return
        stalled = stalled_of(home, run)
        if bool(stalled) != stood_still:
            stood_still = bool(stalled)
            click.echo(stalled_words(run, stalled) if stalled else "it goes on")
        time.sleep(FOLLOW_SECONDS)
        if store.replaced:
            raise WorkbenchError("the store was made anew meanwhile", hint=f"Follow on: workbench log {run_id} -f")


def line_of(event: Event) -> str:
    """Return one event as a line: time, step, what happened."""
    moment = datetime.fromtimestamp(event.ts).strftime("%H:%M:%S")
    mark = "! " if event.level == "warning" else ""
    return f"{moment}  step {event.step:<6} {mark}{plain(event.text)}"


def _print_raw(home: Home, uid: str) -> None:
    file = home.run_folder(uid) / "log.txt"
    text = file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""
    for line in text.splitlines():
        click.echo(plain(redact(line)))
