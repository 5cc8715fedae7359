"""Whether a run that lives goes forward: its worker leaves the time of its last event, anybody may compare.

The time is the kernel's monotonic clock, the same for all processes of one boot and moved by nobody. A run that
stands still is only called so: nothing is written into the store for it, and nothing is killed.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from workbench.supervision import locks
from workbench.supervision.worker_side import boot_id, started_boot

FILE = "progress"
LEAST_SECONDS = 30.0
"""Nothing is called stalled before."""
TIMES = 5.0
"""How much longer than the longest wait so far one must be."""
LONG_SECONDS = 300.0
"""How long loading libraries and data, or an evaluation of many rows, may take before its end is known."""


class Progress:
    """The worker's side: `went_on` is called at each event and costs some microseconds."""

    def __init__(self, folder: Path, attempt: int) -> None:
        self._attempt = attempt
        self._longest = 0.0
        self._last = time.monotonic()
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor = os.open(folder / FILE, flags, 0o600)
        self.went_on(long=True)

    def went_on(self, *, long: bool = False) -> None:
        """Note that there was an event; `long` says that the next may be a while in coming."""
        now = time.monotonic()
        self._longest, self._last = max(self._longest, now - self._last), now
        patience = max(LEAST_SECONDS, TIMES * self._longest, LONG_SECONDS if long else 0.0)
        # One write of a fixed length: a reader sees the old line or the new one. A full disk must not end a run here.
        with contextlib.suppress(OSError):
            os.pwrite(self._descriptor, f"{self._attempt:10} {now:20.3f} {patience:20.3f}\n".encode(), 0)

    def close(self) -> None:
        os.close(self._descriptor)


def stalled_for(folder: Path, attempt: int) -> float | None:
    """Return for how many seconds an attempt that lives has had no event, where that is far longer than usual."""
    try:
        told, since, patience = (folder / FILE).read_text(encoding="ascii").split()
        idle = time.monotonic() - float(since)
        late = int(told) == attempt and idle > float(patience)
    except (OSError, ValueError):
        return None
    if not late or started_boot(folder, attempt) != boot_id() or not locks.alive(folder):
        return None
    return idle
