"""The history of a run: every change of its state, and what others than its worker said, kept in its folder as well.

With the journal of its worker it is all that a store knows of the run, so that a store can be made anew from folders.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

FILE = "history.jsonl"
RUNS = "runs"
"""The folder beside the store that has the folders of the runs."""


@dataclass(frozen=True)
class Change:
    """`columns` become so where the run is in one of the states `since`, of this attempt (None: of any).

    `journal` is the number of journal entries that the store had by then; `event` is time, step, kind, level, text and
    data.
    """

    journal: int
    columns: dict[str, Any] = field(default_factory=dict)
    since: Sequence[str] = ()
    attempt: int | None = None
    event: list[Any] | None = None


def folder_of(store: Path, uid: str) -> Path:
    """Return the folder of a run."""
    return store.parent / RUNS / uid


def append(folder: Path, change: Change) -> bool:
    """Write a change with one system call; return whether that could be done: without room the store has to do."""
    line = json.dumps(asdict(change), ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"
    with suppress(OSError):
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(folder / FILE, flags, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            return os.write(descriptor, b"\n" * torn + line) == len(line) + torn
        finally:
            os.close(descriptor)
    return False


def changes(folder: Path) -> list[Change]:
    """Return the changes, in the order in which they were made; a line that cannot be read is left out."""
    try:
        lines = (folder / FILE).read_bytes().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        with suppress(ValueError, TypeError):
            found.append(Change(**json.loads(line)))
    return found


def ending(folder: Path, attempt: int, ended: Sequence[str]) -> Change | None:
    """Return how an attempt ended, as its own processes wrote it; None where none did."""
    of_attempt = (change for change in changes(folder) if change.attempt == attempt)
    return next((change for change in of_attempt if change.columns.get("state") in ended), None)
