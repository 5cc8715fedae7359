"""A wall clock that jumps: `put_on_path` makes it that of every Python process that is not isolated.

Each process has an offset of its own, chosen by its number among those that started: a day back, a year on, an hour.
Inside a process the clock jumps again at every tenth look.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

DAY, YEAR, HOUR = -86_400.0, 365 * 86_400.0, 3600.0
JUMPS = (DAY, YEAR, -HOUR, 0.0, HOUR, -YEAR)

SITE = """
import itertools, os, time
_jumps = {jumps!r}
_true, _looks = time.time, itertools.count(os.getpid())
time.time = lambda: _true() + _jumps[next(_looks) // 10 % len(_jumps)]
time.time_ns = lambda: int(time.time() * 1e9)
"""


def put_on_path(folder: Path) -> Path:
    """Write what shifts the clock of a process at its start into a new folder, for PYTHONPATH."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(SITE.format(jumps=JUMPS), encoding="ascii")
    return folder


class Jumping:
    """A clock for this process, to be put in the place of `time.time`: every look is a jump away from the last."""

    def __init__(self, true: Callable[[], float]) -> None:
        self.true = true
        self._looks = itertools.count()
        self.told: list[float] = []

    def __call__(self) -> float:
        now = self.true() + JUMPS[next(self._looks) % len(JUMPS)]
        self.told.append(now)
        return now
