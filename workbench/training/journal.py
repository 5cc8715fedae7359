"""The journal of a run: every event, appended to its folder before anything else is done with it.

The store may be locked, full or gone; a worker may be killed between two flushes. What stands here and not in the
store yet is written to it when the run goes on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from workbench.answer import Answer
from workbench.training.events import Evaluated, Event, Logged, Noted, Saved, Saving, Staged, Started

FILE = "journal.jsonl"
KINDS: dict[str, Any] = {kind.__name__: kind for kind in (Logged, Evaluated, Saved, Staged, Noted)}
"""What is written: `Started` is said anew by each attempt, and `Saving` is only a warning."""


@dataclass(frozen=True)
class Entry:
    """An event as the journal has it: its number from 1 on, and seconds since the epoch."""

    number: int
    ts: float
    event: Event


class Journal:
    """Appends the events of one attempt; the numbers go on where the last attempt ended."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._end_torn_line()
        self._last = sum(1 for _ in self._lines())
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    @property
    def last(self) -> int:
        """The number of the last entry; 0 before the first."""
        return self._last

    def append(self, event: Event, ts: float) -> Entry:
        """Write an event with one system call; a kill of this process cannot lose it from here on."""
        if isinstance(event, (Started, Saving)):
            return Entry(self._last, ts, event)
        self._last += 1
        line = json.dumps([self._last, ts, type(event).__name__, *_values(event)], ensure_ascii=False)
        os.write(self._descriptor, line.encode("utf-8", "surrogatepass") + b"\n")
        return Entry(self._last, ts, event)

    def sync(self) -> None:
        """Bring the journal to the disk, so that a power cut cannot lose it."""
        os.fsync(self._descriptor)

    def after(self, number: int) -> Iterator[Entry]:
        """Yield the entries with a number above `number`; a line that cannot be read is left out."""
        for line in self._lines():
            try:
                found, ts, kind, *values = json.loads(line)
                if found > number:
                    yield Entry(found, ts, _event(KINDS[kind], values))
            except (ValueError, KeyError, TypeError):
                continue

    def close(self) -> None:
        os.close(self._descriptor)

    def _lines(self) -> Iterator[bytes]:
        if self._path.exists():
            with self._path.open("rb") as stream:
                yield from stream

    def _end_torn_line(self) -> None:
        """End a last line that a power cut left without its end, so that the next one begins a line."""
        if self._path.exists() and self._path.stat().st_size:
            with self._path.open("rb+") as stream:
                stream.seek(-1, os.SEEK_END)
                if stream.read(1) != b"\n":
                    stream.write(b"\n")


def _values(event: Event) -> list[Any]:
    values = [getattr(event, field.name) for field in fields(event)]
    if isinstance(event, Evaluated):
        kept = [field.name for field in fields(Answer) if field.name != "extra"]
        values[-1] = [[getattr(answer, name) for name in kept] for answer in event.answers]
    return values


def _event(kind: Any, values: list[Any]) -> Event:
    if kind is Evaluated:
        values[-1] = [Answer(*each) for each in values[-1]]
    event: Event = kind(*values)
    return event
