"""Bring the journal of a run into the store: its rest where the run has ended, all of it where the store is made anew.

Standard library only: shepherds read this.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from store import points, runs
from store.connection import Store
from store.history import Change
from store.runs import Run
from workbench.training.events import Logged, Started
from workbench.training.journal import Entry, entries_of
from workbench.training.recording import Recorder

CHUNK = 20_000


def catch_up(store: Store, run: Run, folder: Path) -> None:
    """Write what an ended run's journal has beyond the store, and pack its curves."""
    recorder = Recorder(run.id, run.goal_key or "", inherited=sys.maxsize)
    for entries in _chunks(entries_of(folder, after=run.journal)):
        with store.write() as connection:
            recorder.write(connection, entries)
    points.pack(store, run.id)


def replay(store: Store, run: Run, folder: Path, changes: Iterable[Change]) -> None:
    """Write all that a run's folder knows of it into a store that has nothing but its first row.

    What others changed comes between the entries of the journal where it came then.
    """
    player = _Player(run)
    waiting = entries_of(folder)
    ahead = next(waiting, None)
    for change in changes:
        batch = []
        while ahead is not None and ahead.number <= change.journal:
            batch.append(ahead)
            ahead = next(waiting, None)
        with store.write() as connection:
            player.write(connection, batch)
            runs.apply(connection, run.id, change)
    while ahead is not None:
        batch = [ahead, *islice(waiting, CHUNK)]
        ahead = next(waiting, None)
        with store.write() as connection:
            player.write(connection, batch)


class _Player:
    """Writes the journal of all attempts, each by a recorder of its own, as the attempts did."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._recorder = Recorder(run.id, run.goal_key or "")
        self._reached = 0

    def write(self, connection: sqlite3.Connection, entries: list[Entry]) -> None:
        batch: list[Entry] = []
        for entry in entries:
            if isinstance(entry.event, Started):
                self._recorder.write(connection, batch)
                batch, metrics = [], self._recorder.metrics
                self._recorder = Recorder(
                    self._run.id, self._run.goal_key or "", self._reached, entry.number - 1, metrics=metrics
                )
            batch.append(entry)
            if isinstance(entry.event, Logged):
                self._reached = max(self._reached, entry.event.step)
        self._recorder.write(connection, batch)


def _chunks(entries: Iterator[Entry]) -> Iterator[list[Entry]]:
    while batch := list(islice(entries, CHUNK)):
        yield batch
