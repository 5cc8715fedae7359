"""Ask runs for something and print what their workers answer, the same for every command that does so."""

from __future__ import annotations

import time
from typing import Any

import click

from store import runs
from store.connection import Store
from store.runs import Run
from workbench.commands.common import chosen_runs, print_json, reading, run_json
from workbench.paths import Home
from workbench.supervision import queue, replies
from workbench.supervision.replies import Reply
from workbench.text import plain


def ask(home: Home, run: str | None, group: str | None, verb: str, *, wait: bool = False, as_json: bool) -> None:
    """Ask a run, or all of a group that can do it, and print the answers; exit with 1 where one did not do it.

    With `wait`, print them when the runs have ended.
    """
    with reading(home) as store:
        found = chosen_runs(store, (run,) if run else (), group)
        if group:
            able = runs.OPEN if verb in queue.STATES else ("starting", "running")
            # The queued ones first: none of them shall start in the place of one that ends.
            found = sorted((each for each in found if each.state in able), key=lambda each: each.active)
        asked = [queue.ask(home, each, verb) for each in found]
        deadline = time.monotonic() + replies.SECONDS
        said = [replies.wait_for(home, each, deadline - time.monotonic()) for each in asked]
        for each in found if wait else ():
            _wait(home, store, each)
        told = [_told(store, each, reply) for each, reply in zip(found, said, strict=True)]
    if as_json:
        print_json(told if group else told[0])
    for reply in () if as_json else said:
        click.echo(plain(reply.words))
    if not said and not as_json:
        click.echo("Every run of the group has ended." if verb in queue.STATES else "No run of the group is running.")
    raise SystemExit(0 if all(reply.done for reply in said) else 1)


def _wait(home: Home, store: Store, run: Run) -> None:
    """Return when a run has ended or is gone."""
    while (now := runs.get(store, run.id)) is not None and now.state not in runs.ENDED:
        queue.advance(home)
        time.sleep(0.2)


def _told(store: Store, run: Run, reply: Reply) -> dict[str, Any]:
    after = runs.get(store, run.id)
    return {
        "answer": reply.words,
        "done": reply.done,
        "step": reply.step,
        "run": run_json(after) if after else None,
    }
