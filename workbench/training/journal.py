"""The journal of a run: every event, appended to its folder before anything else is done with it.

The store may be locked, full or gone; a worker may be killed between two flushes. What stands here and not in the
store yet is written to it when the run goes on, or when it is found to have ended.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from workbench.answer import Answer
from workbench.box.full_disk import free_bytes
from workbench.training.events import Evaluated, Event, Logged, Noted, Saved, Saving, Staged, Started

FILE = "journal.jsonl"
RESERVE = "reserve"
RESERVE_BYTES = 2**20
"""Room that is set free when the disk is full: some ten thousand lines."""
ENOUGH = 8
"""So many reserves must be free for one to be made: what was set free is not taken again from who needs it."""
KINDS: dict[str, Any] = {kind.__name__: kind for kind in (Started, Logged, Evaluated, Saved, Staged, Noted)}
"""What is written; `Saving` is only a warning."""
_LOGGED = re.compile(rb'\[\d+, [^,]+, "Logged", (\d+),')


@dataclass(frozen=True)
class Entry:
    """An event as the journal has it: its number from 1 on, and seconds since the epoch."""

    number: int
    ts: float
    event: Event


class Journal:
    """Appends the events of one attempt; the numbers go on where the last attempt ended.

    `last` is the number of the last entry, 0 before the first; `reached` the last update that any attempt logged.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / FILE
        self._pending: deque[bytes] = deque()
        self._lock = threading.Lock()
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor = os.open(self._path, flags, 0o600)
        self._size = os.fstat(self._descriptor).st_size
        self._make_reserve()
        self._end_torn_line()
        lines = list(lines_of(folder))
        self.last, self.reached = len(lines), reached(lines)

    def append(self, event: Event, ts: float) -> Entry:
        """Write an event with one system call; a kill of this process cannot lose it from here on.

        Where there is no room even in the reserve, it is kept and written with the next one.
        """
        if isinstance(event, Saving):
            return Entry(self.last, ts, event)
        if isinstance(event, Started):
            with suppress(OSError):
                _keep_rows(self._folder, event)
        self.last += 1
        line = json.dumps([self.last, ts, type(event).__name__, *_values(event)], ensure_ascii=False)
        with self._lock:
            self._pending.append(line.encode("utf-8", "surrogatepass") + b"\n")
            self._write_pending()
        return Entry(self.last, ts, event)

    def sync(self) -> bool:
        """Bring the journal to the disk, so that a power cut cannot lose it; return whether that was done."""
        with self._lock:
            self._write_pending()
            self._make_reserve()
            with suppress(OSError):
                os.fsync(self._descriptor)
                return not self._pending
        return False

    def after(self, number: int) -> Iterator[Entry]:
        """Yield the entries with a number above `number`, those too that wait for room."""
        yield from entries_of(self._folder, after=number)
        with self._lock:
            pending = list(self._pending)
        yield from (entry for line in pending if (entry := _entry(line, self._folder)) and entry.number > number)

    def close(self) -> None:
        """Write what waits, and give the reserve back."""
        self.sync()
        os.close(self._descriptor)
        self.free_reserve()

    def _write_pending(self) -> None:
        while self._pending and self._write(self._pending[0]):
            self._pending.popleft()

    def _write(self, line: bytes) -> bool:
        """Write a line whole, at the second try into the room of the reserve, or leave nothing of it."""
        for _ in range(2):
            written = 0
            try:
                while written < len(line):
                    written += os.write(self._descriptor, line[written:])
                self._size += len(line)
                return True
            except OSError:
                with suppress(OSError):
                    os.ftruncate(self._descriptor, self._size)
                self.free_reserve()
        return False

    def free_reserve(self) -> None:
        """Give the room of the reserve free: for the journal, or for the store to say that the disk is full."""
        with suppress(OSError):
            (self._folder / RESERVE).unlink()

    def _make_reserve(self) -> None:
        """Keep some room, where there is enough of it."""
        path = self._folder / RESERVE
        if self._pending or path.exists():
            return
        with suppress(OSError):
            if free_bytes(self._folder) < ENOUGH * RESERVE_BYTES:
                return
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, RESERVE_BYTES)
            except OSError:
                path.unlink()
            finally:
                os.close(descriptor)

    def _end_torn_line(self) -> None:
        """End a last line that a power cut left without its end, so that the next one begins a line."""
        if self._size and os.pread(self._descriptor, 1, self._size - 1) != b"\n":
            self._write(b"\n")


def lines_of(folder: Path) -> Iterator[bytes]:
    """Yield the lines of a journal; one that is being written is not there yet."""
    with suppress(FileNotFoundError), (folder / FILE).open("rb") as stream:
        for line in stream:
            if line.endswith(b"\n"):
                yield line


def reached(lines: Iterable[bytes]) -> int:
    """Return the last update that these lines of a journal tell of; 0 where there is none."""
    return max((int(logged[1]) for line in lines if (logged := _LOGGED.match(line))), default=0)


def entries_of(folder: Path, after: int = 0) -> Iterator[Entry]:
    """Yield the entries of a journal with a number above `after`; a line that cannot be read is left out."""
    for line in lines_of(folder):
        entry = _entry(line, folder)
        if entry is not None and entry.number > after:
            yield entry


def _entry(line: bytes, folder: Path) -> Entry | None:
    try:
        number, ts, kind, *values = json.loads(line)
        return Entry(number, ts, _event(KINDS[kind], values, folder))
    except (ValueError, KeyError, TypeError):
        return None


def _values(event: Event) -> list[Any]:
    if isinstance(event, Started):
        event = replace(event, eval_rows=[])
    values = [getattr(event, field.name) for field in fields(event)]
    if isinstance(event, Evaluated):
        kept = [field.name for field in fields(Answer) if field.name != "extra"]
        values[-1] = [[getattr(answer, name) for name in kept] for answer in event.answers]
    return values


def _event(kind: Any, values: list[Any], folder: Path) -> Event:
    if kind is Evaluated:
        values[-1] = [Answer(*each) for each in values[-1]]
    event: Event = kind(*values)
    if isinstance(event, Started):
        return replace(event, eval_rows=_rows_of(folder, event.eval_set))
    return event


def _rows_file(folder: Path, eval_set: str) -> Path | None:
    """Return where the evaluation rows of a run stand: apart from the journal, each set once."""
    return folder / f"eval-{eval_set}.jsonl" if eval_set.isalnum() else None


def _keep_rows(folder: Path, event: Started) -> None:
    path = _rows_file(folder, event.eval_set)
    if path is None or path.exists():
        return
    beside = path.with_name(f".{path.name}")
    try:
        with open(beside, "w", encoding="utf-8", errors="surrogatepass") as stream:
            stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in event.eval_rows)
            stream.flush()
            os.fsync(stream.fileno())
        beside.chmod(0o600)
        beside.rename(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


def _rows_of(folder: Path, eval_set: str) -> list[tuple[str, str | None]]:
    path = _rows_file(folder, eval_set)
    if path is None or not path.exists():
        return []
    with path.open(encoding="utf-8", errors="surrogatepass") as stream:
        return [(fields, gold) for fields, gold in map(json.loads, stream)]
