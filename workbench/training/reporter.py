"""From the loop to the store, on a thread of its own: the training thread only appends a line to the journal."""

from __future__ import annotations

import os
import resource
import sqlite3
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from store import commands, events, history, points, runs
from store.connection import Store, StoreError, open_store
from workbench.box import telemetry
from workbench.supervision.progress import Progress
from workbench.training.control import VERBS, Control
from workbench.training.events import Event, Noted, Saving
from workbench.training.journal import Entry, Journal
from workbench.training.recording import Recorder

FLUSH_SECONDS = 0.1
RETRY_SECONDS = 1.0
STORE_SECONDS = 1.0
"""How long one try waits for a store that is locked."""
CHUNK = 20_000
"""Events kept in memory, and written in one transaction; what is beyond is read from the journal."""
SAMPLE_SECONDS = 2.0
SAMPLES_KEPT = 43_200
"""A day of them, where the store cannot be written for so long."""
NO_ROOM = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
TROUBLES = (StoreError, sqlite3.Error, OSError)
ENDED = {"finished": "finished", "stopped": "was stopped", "paused": "was paused", "failed": "failed"}
CLOSE_SECONDS = 30.0
"""How long the end of a run waits for a store that cannot be written."""
LONG = ("start", "eval")
"""The notes after which nothing more may come for a while."""


class Reporter:
    """Writes events, samples the box, and hands commands to the loop. Training never waits for it and never
    dies of it: what cannot be written now stands in the journal and is tried again, whatever became of the store."""

    def __init__(self, store: Path, folder: Path, run_id: int, attempt: int, control: Control) -> None:
        self.run_id, self.attempt, self.control = run_id, attempt, control
        self._folder, self._path = folder, store
        self._queue: deque[Entry] = deque()
        self._unsent: list[Entry] = []
        self._samples: deque[tuple[float, dict[str, float]]] = deque(maxlen=SAMPLES_KEPT)
        self._system_keys: dict[str, int] = {}
        self._heard: dict[int, tuple[str, int]] = {}
        self._bell = threading.Event()
        self._closing = threading.Event()
        self._complained = self._hopeless = False
        self._running = self._begun = False
        self._journal = Journal(folder)
        self._progress = Progress(folder, attempt)
        self._recorder = Recorder(run_id, "", replay_until=self._journal.reached, inherited=self._journal.last)
        self._store: Store | None = None
        self._written, self._behind, self._retry_at = 0, False, 0.0
        self.recipe: str | None = None
        """The recipe as the store has it, None where that cannot be read."""
        with suppress(*TROUBLES):
            self._open()
        self._threads = [
            threading.Thread(target=self._write_until_closed, name="reporter", daemon=True),
            threading.Thread(target=self._sample_until_closed, name="telemetry", daemon=True),
        ]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def put(self, event: Event) -> None:
        """Take an event: one line in the journal, the rest on the reporter's own thread."""
        if isinstance(event, Saving):
            self._journal.sync()
        else:
            self._queue.append(self._journal.append(event, time.time()))
        self._progress.went_on(long=isinstance(event, Noted) and event.kind in LONG)

    def ring(self) -> None:
        """Look for commands now."""
        self._bell.set()

    def running(self) -> None:
        """Say that training begins."""
        self._running = True

    def close(self, state: str, reason: str | None, error: str | None) -> None:
        """Write what is left and how the run ended: into its folder where the store cannot be written."""
        self._closing.set()
        self._bell.set()
        for thread in self._threads:
            thread.join()
        columns = {"reason": reason, "error": error, "ended": time.time(), "peak_bytes": self._peak_bytes()}
        if not (self._flush() and self._end(state, columns)):
            change = history.Change(self._journal.last, {"state": state, **columns}, runs.ACTIVE, self.attempt)
            history.append(self._folder, change)
            deadline = time.monotonic() + CLOSE_SECONDS
            while not (self._flush() and self._end(state, columns)) and time.monotonic() < deadline:
                if self._hopeless:
                    break
                time.sleep(FLUSH_SECONDS)
        self._drop_store()
        self._journal.close()
        self._progress.close()

    def _write_until_closed(self) -> None:
        while not self._closing.is_set():
            self._bell.wait(FLUSH_SECONDS)
            self._bell.clear()
            if time.monotonic() >= self._retry_at and self._begin() and self._flush():
                self._hear()

    def _open(self) -> Store:
        """Return the store with this run in it, opened anew where the file was lost or another took its place."""
        if self._store is not None and not self._store.replaced:
            return self._store
        self._drop_store()
        store = open_store(self._path, timeout=STORE_SECONDS)
        try:
            run = runs.get(store, self.run_id)
            if run is None or run.uid != self._folder.name:
                raise StoreError(f"{self._path}: this run is not in it")
        except BaseException:
            store.close()
            raise
        self._store, self.recipe, self._recorder.goal_key = store, run.recipe, run.goal_key or ""
        self._written, self._behind = run.journal, True
        return store

    def _drop_store(self) -> None:
        if self._store is not None:
            self._store.close()
        self._store = None
        # Numbers given out by a store that is gone, or in a transaction that was rolled back, are nobody's.
        self._system_keys.clear()
        self._recorder.metrics.clear()

    def _begin(self) -> bool:
        """Move the run to `running` once training begins; one that was asked to stop meanwhile is told so."""
        if self._begun or not self._running:
            return True
        try:
            store = self._open()
            points.unpack(store, self.run_id)
            moved = runs.move(store, self.run_id, "running", since=("starting",), attempt=self.attempt)
            now = None if moved else runs.get(store, self.run_id)
            if not moved and not (now and now.pausing):
                self.control.stop.set()
        except TROUBLES as error:
            return self._complain(error)
        self._begun = True
        return True

    def _end(self, state: str, columns: dict[str, Any]) -> bool:
        try:
            store = self._open()
            with store.write() as connection:
                commands.leave(connection, self.run_id, self.attempt, f"not done: the run {ENDED[state]} first")
            runs.move(store, self.run_id, state, since=runs.ACTIVE, attempt=self.attempt, **columns)
            points.pack(store, self.run_id)
        except TROUBLES as error:
            return self._complain(error)
        return True

    def _take(self) -> None:
        """Have the next entries to write in `_unsent`: of the queue, or of the journal where the store is behind."""
        while self._queue:
            self._unsent.append(self._queue.popleft())
        if self._behind or len(self._unsent) > CHUNK:
            # All that was in the queue stands in the journal.
            self._unsent = list(islice(self._journal.after(self._written), CHUNK))
            self._behind = len(self._unsent) == CHUNK
        else:
            self._unsent = [entry for entry in self._unsent if entry.number > self._written]

    def _flush(self) -> bool:
        """Write everything that waits, in one transaction for a part; return whether it is written."""
        try:
            store = self._open()
            while True:
                self._take()
                samples = list(self._samples)
                if self._unsent or samples:
                    self._write(store, samples)
                if not self._behind:
                    return True
        except Exception as error:
            if len(self._queue) + len(self._unsent) > CHUNK:
                self._queue.clear()
                self._unsent, self._behind = [], True
            self._system_keys.clear()
            self._recorder.metrics.clear()
            return self._complain(error)

    def _write(self, store: Store, samples: list[tuple[float, dict[str, float]]]) -> None:
        with store.write() as connection:
            self._recorder.write(connection, self._unsent)
            self._answer(connection)
            for ts, values in samples:
                events.append_system(connection, self.run_id, ts, values, self._system_keys)
            if samples:
                runs.set_columns(connection, self.run_id, peak_bytes=self._peak_bytes())
        if self._unsent:
            self._written = self._unsent[-1].number
        self._unsent = []
        for _ in samples:
            self._samples.popleft()
        self._complained = False

    def _hear(self) -> None:
        """Hand the commands that wait to the loop, each once, though its row may have to be written again.

        Before training begins it is not known which update the run goes on from, nor can the loop do anything.
        """
        if not self._running:
            return
        try:
            store = self._open()
            waiting = commands.waiting(store, self.run_id, self.attempt)
            known = [command for command in waiting if command.verb in VERBS]
            for command in known:
                if command.id not in self._heard:
                    self._heard[command.id] = (command.verb, self.control.ask(command.verb))
            if known:
                with store.write() as connection:
                    for command in known:
                        commands.accept(connection, command.id, self._heard[command.id][1])
        except TROUBLES as error:
            self._complain(error)

    def _answer(self, connection: sqlite3.Connection) -> None:
        """Say of the commands that were heard before what the loop has now told that it was done."""
        own = (entry.event for entry in self._unsent if entry.number > self._recorder.inherited)
        for event in own:
            for command, (verb, step) in self._heard.items():
                if isinstance(event, Noted) and event.kind == verb and event.step >= step:
                    commands.finish(connection, command, event.step, event.text)

    def _sample_until_closed(self) -> None:
        while True:
            try:
                sample = telemetry.sample(os.getpid()) | {"disk/free": telemetry.disk_free(self._path.parent)}
                self._samples.append((time.time(), sample))
            except Exception as error:
                _say(f"the box cannot be sampled just now: {error}")
            if self._closing.wait(SAMPLE_SECONDS):
                return

    def _complain(self, error: Exception) -> bool:
        """Say once that the store cannot be written, and when to try again; return False."""
        self._hopeless = isinstance(error, StoreError)
        self._retry_at = time.monotonic() + RETRY_SECONDS
        if isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in NO_ROOM:
            self._journal.free_reserve()
        if not self._complained:
            _say(f"the store cannot be written, training goes on: {error}")
        self._complained = True
        return False

    def _peak_bytes(self) -> int:
        """Return the most memory this process had: of the GPU where it trains on one, else of the host."""
        if self._running:
            import torch

            # A GPU that was lost cannot be asked.
            with suppress(RuntimeError):
                if torch.cuda.is_available() and torch.cuda.is_initialized():
                    return int(torch.cuda.max_memory_reserved())
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _say(words: str) -> None:
    """Write to the worker's log, unless that is on a full disk."""
    with suppress(OSError):
        print(words, file=sys.stderr, flush=True)
