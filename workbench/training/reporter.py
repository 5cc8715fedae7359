"""From the loop to the store, on a thread of its own: the training thread only appends a line to the journal."""

from __future__ import annotations

import os
import resource
import sqlite3
import sys
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

from store import commands, events, points, runs
from store.connection import open_store
from workbench import telemetry
from workbench.training.control import VERBS, Control
from workbench.training.events import Event, Noted, Saving
from workbench.training.journal import Entry, Journal
from workbench.training.recording import Recorder

FLUSH_SECONDS = 0.1
SAMPLE_SECONDS = 2.0
ENDED = {"finished": "finished", "stopped": "was stopped", "paused": "was paused", "failed": "failed"}
CLOSE_SECONDS = 30.0
"""How long the end of a run waits for a store that cannot be written."""


class Reporter:
    """Writes events, samples the box, and hands commands to the loop. Training never waits for it and never
    dies of it: what cannot be written now is kept and tried again."""

    def __init__(self, store: Path, folder: Path, run_id: int, attempt: int, control: Control) -> None:
        self.run_id, self.attempt, self.control = run_id, attempt, control
        self._queue: deque[Entry] = deque()
        self._unsent: list[Entry] = []
        self._samples: deque[tuple[float, dict[str, float]]] = deque()
        self._system_keys: dict[str, int] = {}
        self._heard: dict[int, tuple[str, int]] = {}
        self._bell = threading.Event()
        self._closing = threading.Event()
        self._complained = False
        self._running = self._begun = False
        self._path = store
        self._store = open_store(store, timeout=5)
        run = runs.get(self._store, run_id)
        assert run is not None
        self.run = run
        self._journal = Journal(folder)
        self._queue.extend(self._journal.after(run.journal))
        known = max([run.step, *(entry.event.step for entry in self._queue)])
        self._recorder = Recorder(
            run_id, run.goal_key or "", replay_until=known, inherited=self._journal.last, before=run.versions
        )
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
        self._queue.append(self._journal.append(event, time.time()))

    def ring(self) -> None:
        """Look for commands now."""
        self._bell.set()

    def running(self) -> None:
        """Say that training begins."""
        self._running = True

    def close(self, state: str, reason: str | None, error: str | None) -> None:
        """Write what is left and how the run ended."""
        self._closing.set()
        self._bell.set()
        for thread in self._threads:
            thread.join()
        columns = {"reason": reason, "error": error, "ended": time.time(), "peak_bytes": self._peak_bytes()}
        deadline = time.monotonic() + CLOSE_SECONDS
        while not (self._flush() and self._end(state, columns)) and time.monotonic() < deadline:
            time.sleep(FLUSH_SECONDS)
        self._store.close()
        self._journal.close()

    def _write_until_closed(self) -> None:
        while not self._closing.is_set():
            self._bell.wait(FLUSH_SECONDS)
            self._bell.clear()
            self._begin()
            self._flush()
            self._hear()

    def _begin(self) -> None:
        """Move the run to `running` once training begins; one that was asked to stop meanwhile is told so."""
        if self._begun or not self._running:
            return
        try:
            points.unpack(self._store, self.run_id)
            moved = runs.move(self._store, self.run_id, "running", since=("starting",), attempt=self.attempt)
            now = None if moved else runs.get(self._store, self.run_id)
            if not moved and not (now and now.pausing):
                self.control.stop.set()
            self._begun = True
        except (sqlite3.Error, OSError) as error:
            self._complain(error)

    def _end(self, state: str, columns: dict[str, Any]) -> bool:
        try:
            with self._store.write() as connection:
                commands.leave(connection, self.run_id, self.attempt, f"not done: the run {ENDED[state]} first")
            runs.move(self._store, self.run_id, state, since=runs.ACTIVE, attempt=self.attempt, **columns)
            points.pack(self._store, self.run_id)
        except (sqlite3.Error, OSError) as error:
            self._complain(error)
            return False
        return True

    def _flush(self) -> bool:
        """Write everything that waits in one transaction; return whether it is written."""
        while self._queue:
            self._unsent.append(self._queue.popleft())
        samples = list(self._samples)
        if not self._unsent and not samples:
            return True
        try:
            with self._store.write() as connection:
                self._recorder.write(connection, self._unsent)
                self._answer(connection)
                for ts, values in samples:
                    events.append_system(connection, self.run_id, ts, values, self._system_keys)
                if samples:
                    runs.set_columns(connection, self.run_id, peak_bytes=self._peak_bytes())
        except Exception as error:
            # Numbers given out in a transaction that was rolled back are not the store's.
            self._system_keys.clear()
            self._recorder.metrics.clear()
            self._complain(error)
            return False
        self._unsent = []
        for _ in samples:
            self._samples.popleft()
        self._complained = False
        return True

    def _hear(self) -> None:
        """Hand the commands that wait to the loop, each once, though its row may have to be written again.

        Before training begins it is not known which update the run goes on from, nor can the loop do anything.
        """
        if not self._running:
            return
        try:
            waiting = commands.waiting(self._store, self.run_id, self.attempt)
            known = [command for command in waiting if command.verb in VERBS]
            for command in known:
                if command.id not in self._heard:
                    self._heard[command.id] = (command.verb, self.control.ask(command.verb))
            if known:
                with self._store.write() as connection:
                    for command in known:
                        commands.accept(connection, command.id, self._heard[command.id][1])
        except (sqlite3.Error, OSError) as error:
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
                print(f"the box cannot be sampled just now: {error}", file=sys.stderr, flush=True)
            if self._closing.wait(SAMPLE_SECONDS):
                return

    def _complain(self, error: Exception) -> None:
        if not self._complained:
            print(f"the store cannot be written, training goes on: {error}", file=sys.stderr, flush=True)
        self._complained = True

    def _peak_bytes(self) -> int:
        """Return the most memory this process had: of the GPU where it trains on one, else of the host."""
        if self._running:
            import torch

            if torch.cuda.is_available() and torch.cuda.is_initialized():
                return int(torch.cuda.max_memory_reserved())
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
