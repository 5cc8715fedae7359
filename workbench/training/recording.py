"""Events as rows of the store: what each event writes, inside one transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from store import checkpoints, events, points, predictions, runs
from workbench import text
from workbench.conditions import changed
from workbench.goals import SPEED
from workbench.training.events import GOES_ON, Evaluated, Logged, Noted, Saved, Staged, Started
from workbench.training.journal import Entry

ENDINGS = ("stop", "pause", "early_stop", "range_test")
"""Kinds of `Noted` after which nothing more is told of an update."""
LEVELS = {"warning": "warning"} | dict.fromkeys(runs.HELD, "warning")


@dataclass
class Recorder:
    """Writes the events of one attempt, and holds what it logs again against what earlier attempts logged.

    `replay_until` is the last step that earlier attempts logged, `inherited` the number of their last journal entry.
    """

    run_id: int
    goal_key: str
    replay_until: int = 0
    inherited: int = 0
    step: int = 0
    compared: set[tuple[str, int]] = field(default_factory=set)
    differing: set[int] = field(default_factory=set)
    closed_by: int | None = None
    metrics: dict[str, int] = field(default_factory=dict)

    def write(self, connection: sqlite3.Connection, batch: Sequence[Entry]) -> None:
        """Write a batch of events; call it inside a write transaction. However events are cut into batches, the store
        comes out the same."""
        for logged, entries in groupby(batch, key=lambda entry: isinstance(entry.event, Logged)):
            if logged:
                self._logged(connection, list(entries))
            else:
                for entry in entries:
                    self._told(connection, entry)
        if batch:
            self.step = max(self.step, *(entry.event.step for entry in batch))
            runs.set_columns(connection, self.run_id, journal=batch[-1].number)

    def _told(self, connection: sqlite3.Connection, entry: Entry) -> None:
        ts, event, own = entry.ts, entry.event, entry.number > self.inherited
        if isinstance(event, Started):
            self._started(connection, ts, event)
        elif isinstance(event, Staged):
            self._staged(connection, ts, event)
        elif isinstance(event, Evaluated):
            self._evaluated(connection, ts, event, own=own)
        elif isinstance(event, Saved):
            self._saved(connection, ts, event)
        elif isinstance(event, Noted):
            self._note(connection, ts, event.step, event.kind, event.text, LEVELS.get(event.kind, "info"))
            if own and event.kind in runs.HELD:
                runs.wait_for(connection, self.run_id, event.kind, event.text)
            elif own and event.kind == GOES_ON:
                runs.wait_for(connection, self.run_id, None, None)
        self._look_beyond(connection, entry)

    def _logged(self, connection: sqlite3.Connection, entries: Sequence[Entry]) -> None:
        """Write points, those of updates that are done again compared with what the store has of them."""
        logged = [(entry.number, entry.ts, entry.event) for entry in entries if isinstance(entry.event, Logged)]
        # What an earlier attempt could not write comes first: the updates done again are compared with it too.
        self._points(connection, [(ts, event) for number, ts, event in logged if number <= self.inherited])
        own = [(ts, event) for number, ts, event in logged if number > self.inherited]
        self._audit(connection, _rows([(ts, event) for ts, event in own if event.step <= self.replay_until]))
        self._points(connection, own)
        for entry in entries:
            self._look_beyond(connection, entry)

    def _points(self, connection: sqlite3.Connection, logged: Sequence[tuple[float, Logged]]) -> None:
        if logged:
            points.append(connection, self.run_id, _rows(logged), self.metrics)
            last = logged[-1][1]
            runs.set_columns(connection, self.run_id, step=last.step, epoch=last.epoch, seconds=last.seconds)

    def _look_beyond(self, connection: sqlite3.Connection, entry: Entry) -> None:
        """Close the audit where nothing more will be told of what earlier attempts logged, now that this is."""
        event = entry.event
        ends = isinstance(event, Saved) or (isinstance(event, Noted) and event.kind in ENDINGS)
        beyond = event.step > self.replay_until or (ends and event.step == self.replay_until)
        if beyond and entry.number > self.inherited and self.closed_by in (None, entry.number):
            # Known by its number: where the transaction is rolled back, the same entry closes it again.
            self.closed_by = entry.number
            self._close_audit(connection, entry.ts)

    def _audit(self, connection: sqlite3.Connection, rows: Sequence[points.Point]) -> None:
        """Compare; the sets stay true where a transaction is rolled back and its batch written again."""
        for name, step, _, value in rows:
            known = points.value_at(connection, self.run_id, name, step) if name != SPEED else None
            if known is not None:
                self.compared.add((name, step))
                if known != value:
                    self.differing.add(step)

    def _close_audit(self, connection: sqlite3.Connection, ts: float) -> None:
        data = {"compared": len(self.compared)}
        if self.differing:
            words = f"the updates done again differ from the log from step {min(self.differing)} on"
            words, level = f"{words}: this resume is not exact", "warning"
        else:
            words = f"the updates done again give the logged numbers, to the last bit ({len(self.compared)} compared)"
            level = "info"
        if self.compared:
            self._note(connection, ts, self.replay_until, "resume", words, level, data)

    def _started(self, connection: sqlite3.Connection, ts: float, event: Started) -> None:
        columns: dict[str, Any] = {"max_steps": event.updates, "parameters": event.parameters}
        before = connection.execute("SELECT versions FROM run WHERE id=?", (self.run_id,)).fetchone()[0]
        versions = json.dumps(event.versions)
        runs.set_columns(connection, self.run_id, **columns, eval_set=event.eval_set, versions=versions)
        rows = [(number, *row) for number, row in enumerate(event.eval_rows)]
        predictions.add_examples(connection, event.eval_set, rows)
        words = f"{text.count(event.updates)} updates, {text.quantity(event.parameters)} weights"
        self._note(connection, ts, event.step, "start", words)
        self._note(connection, ts, event.step, "device", event.device)
        for note in event.notes:
            self._note(connection, ts, event.step, "note", note)
        if others := changed(before, event.versions):
            words = f"resume: not exact ({', '.join(others)})"
            self._note(connection, ts, event.step, "resume", words, "warning")

    def _staged(self, connection: sqlite3.Connection, ts: float, event: Staged) -> None:
        total = sum(group["size"] for group in event.groups)
        groups = [{**group, "share": group["size"] / total} for group in event.groups]
        runs.keep_most(connection, self.run_id, event.trainable)
        names = [group["name"] for group in groups if group["trainable"]]
        which = "every layer group" if event.trainable == total else ", ".join(reversed(names))
        until = f", {event.until}" if event.until else ""
        words = f"learning from here on{until}: {which} ({event.trainable / total:.2%} of the weights)"
        self._note(connection, ts, event.step, "stage", words, data={"groups": groups, "until": event.until})

    def _evaluated(self, connection: sqlite3.Connection, ts: float, event: Evaluated, *, own: bool) -> None:
        rows = [(name, event.step, ts, value) for name, value in event.values.items()]
        if own and event.step <= self.replay_until:
            self._audit(connection, rows)
        points.append(connection, self.run_id, rows, self.metrics)
        shown = "  ".join(
            f"{name.removeprefix('eval/')} {text.number(value)}"
            for name, value in event.values.items()
            if name.startswith("eval/")
        )
        self._note(connection, ts, event.step, "eval", f"{shown}{'  best so far' if event.best else ''}")
        goal = self.goal_key.removeprefix("eval/")
        sources = [
            f"{name.removeprefix('eval@').rpartition('/')[0]} {text.number(value)}"
            for name, value in event.values.items()
            if name.startswith("eval@") and name.endswith(f"/{goal}")
        ]
        if sources:
            self._note(connection, ts, event.step, "eval", f"{goal} of each set: {'  '.join(sources)}")
        if event.best:
            best = event.values[self.goal_key]
            runs.set_columns(connection, self.run_id, best_value=best, best_step=event.step)
            answers = [
                (number, each.pred, each.score, each.loss, each.correct, each.output)
                for number, each in enumerate(event.answers)
            ]
            predictions.replace(connection, self.run_id, event.step, event.eval_set, answers)

    def _saved(self, connection: sqlite3.Connection, ts: float, event: Saved) -> None:
        row = checkpoints.Checkpoint(self.run_id, event.kind, event.step, event.path, event.bytes, event.sha256)
        checkpoints.add(connection, row)
        checkpoints.keep(connection, self.run_id, event.kind, event.kept)
        what = "checkpoint" if event.kind == "state" else "best model"
        self._note(connection, ts, event.step, "saved", f"{what} → {event.path} ({text.size(event.bytes)})")

    def _note(
        self,
        connection: sqlite3.Connection,
        ts: float,
        step: int,
        kind: str,
        words: str,
        level: str = "info",
        data: Any = None,
    ) -> None:
        events.append(connection, self.run_id, [(ts, step, kind, level, words, data)])


def _rows(logged: Sequence[tuple[float, Logged]]) -> list[points.Point]:
    return [(name, event.step, ts, value) for ts, event in logged for name, value in event.values.items()]
