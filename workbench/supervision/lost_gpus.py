"""GPUs that a run lost: nothing is started on them until a person has looked, and has deleted the mark.

A mark is a file in the folder of slots, `.lost-SLOT`, that says which run lost it and what the driver said.
"""

from __future__ import annotations

from pathlib import Path

from workbench.paths import Home
from workbench.supervision.slots import overlap

_MARK = ".lost-"


def leave_out(home: Home, slot: str, words: str) -> None:
    """Mark a slot of GPUs as lost, in words for people."""
    home.slots.mkdir(mode=0o700, exist_ok=True)
    mark = mark_of(home, slot)
    mark.touch(mode=0o600)
    mark.write_text(words, encoding="utf-8")


def left_out(home: Home) -> dict[str, str]:
    """Return the slots that are left out, and why."""
    marks = sorted(home.slots.glob(f"{_MARK}*")) if home.slots.is_dir() else []
    return {mark.name.removeprefix(_MARK): mark.read_text(encoding="utf-8", errors="replace") for mark in marks}


def is_left_out(home: Home, slot: str) -> bool:
    """Return whether a slot, or one that has a GPU of it, is marked."""
    return any(overlap(slot, lost) for lost in left_out(home))


def mark_of(home: Home, slot: str) -> Path:
    """Return the file whose deletion lets runs start in a slot again."""
    return home.slots / f"{_MARK}{slot.replace('/', '_')}"
