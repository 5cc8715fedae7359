"""The end of what a worker wrote to its own log file, safe to show."""

from __future__ import annotations

import os
from pathlib import Path

from workbench.text import plain, redact

KEPT_BYTES = 4 * 2**20
"""Of a longer log only the end is shown."""


def read_end(path: Path, limit: int = KEPT_BYTES) -> tuple[list[str], int]:
    """Return the last lines of a file, within `limit` bytes, safe to show, and how many bytes were left out.

    Of a line that was written over with carriage returns, as progress bars do, the last state is taken.
    """
    with path.open("rb") as file:
        length = file.seek(0, os.SEEK_END)
        start = max(0, length - limit)
        file.seek(start)
        text = file.read(limit).decode("utf-8", errors="replace")
    lines = text.split("\n")
    if start:
        lines = lines[1:]
    if lines and not lines[-1]:
        lines.pop()
    return [plain(redact(line.rstrip("\r").rpartition("\r")[2])) for line in lines], start


def last_lines(path: Path, n: int) -> list[str]:
    """Return the last `n` lines of a log; none where it cannot be read."""
    try:
        return read_end(path, 64 * 1024)[0][-n:]
    except OSError:
        return []
