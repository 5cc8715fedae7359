"""Wait for what a worker says of a command. Light."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from store import commands, events, runs
from store.commands import Command
from store.connection import Store, read_store
from store.runs import Run
from workbench.paths import Home
from workbench.supervision.queue import STATES, Asked, advance
from workbench.text import plain

SECONDS = 30.0
"""How long an answer is waited for: an update is short, but an evaluation or a start may take longer."""
LOOK_SECONDS = 0.05
ADVANCE_SECONDS = 1.0


@dataclass(frozen=True)
class Reply:
    """`step` is how many updates were done when it was done; None where it is not done, or there was no worker."""

    words: str
    done: bool
    step: int | None = None


def wait_for(home: Home, asked: Asked, seconds: float = SECONDS, given_up: Callable[[], bool] = lambda: False) -> Reply:
    """Return what became of a command: done, not to be done any more, or still to be done after some seconds."""
    if asked.command is None:
        return Reply(asked.words, True)
    deadline, advanced = time.monotonic() + seconds, time.monotonic()
    with read_store(home.store) as store:
        while True:
            # The run first: a command that is done when its run has ended was so before.
            run, command = runs.get(store, asked.run.id), commands.get(store, asked.command)
            reply = _reply(asked, run, command)
            if reply is None and (time.monotonic() > deadline or given_up()):
                reply = Reply(f"{_called(asked.run)} {_busy(store, run, command)}", False)
            if reply is not None:
                return reply
            if time.monotonic() - advanced > ADVANCE_SECONDS:
                advance(home)
                advanced = time.monotonic()
            time.sleep(LOOK_SECONDS)


def _reply(asked: Asked, run: Run | None, command: Command | None) -> Reply | None:
    """Return what became of a command where that is certain."""
    called = _called(asked.run)
    if run is None or command is None:
        return Reply(f"{called} was deleted first", False)
    if command.done_step is not None:
        return Reply(f"{called} {command.answer}", True, command.done_step)
    if run.attempt == command.attempt and run.active:
        return None
    if run.attempt == command.attempt and run.state == STATES.get(asked.verb):
        return Reply(f"{called} is {run.state}: its worker had not begun", True)
    return Reply(f"{called} {command.answer or _ended(run)}", False)


def _ended(run: Run) -> str:
    """Return why a command was not done of which the worker said nothing."""
    return f"did not come to it: it is {run.state}" + (f", {run.error}" if run.error else "")


def _busy(store: Store, run: Run | None, command: Command | None) -> str:
    """Return what keeps a worker from doing what it was asked."""
    if run is None or command is None or command.accepted_step is None:
        return "has not heard it yet: it is still starting, or its worker stands still; see its log"
    said = events.listing(store, run.id, limit=1)
    last = f", and last said: {plain(said[0].text, 200)}" if said else ""
    return f"heard it at update {command.accepted_step} and is busy{last}. It does so before its next update"


def _called(run: Run) -> str:
    return f"#{run.id} {run.name}"
