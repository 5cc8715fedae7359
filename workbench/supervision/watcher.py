"""Looks at the queue again and again while a run waits for a GPU that somebody else uses; one for each home.

Started by the dispatcher as a script with `python -I -S`, standard library only. Whoever else looks at the queue does
the same: where it dies, the next one starts another.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from workbench.errors import WorkbenchError
from workbench.paths import Home
from workbench.supervision.dispatch import advance
from workbench.supervision.driver import LASTING
from workbench.supervision.shepherd import become_shepherd


def watch(home: Home, claim: int) -> None:
    """Let the queue go on until no run waits for a GPU of others; `claim` is the watcher's lock.

    What fails is tried again: a store may be locked for a while, a process may not be had.
    """
    barred = True
    while barred:
        time.sleep(LASTING)
        with contextlib.suppress(WorkbenchError, sqlite3.Error, OSError):
            barred = bool(advance(home))
    os.close(claim)
    # Who found the lock still held just now left the watch to this process: here it is given on.
    advance(home)


if __name__ == "__main__":
    become_shepherd()
    watch(Home(Path(sys.argv[1])), int(sys.argv[2]))
