"""Places where a test may pull the plug. Without WORKBENCH_FAILPOINT they do nothing.

`WORKBENCH_FAILPOINT=name:visit` ends the process by SIGKILL at that visit of that place.
"""

from __future__ import annotations

import os
import signal

_visits: dict[str, int] = {}


def failpoint(name: str) -> None:
    """Mark a place where a crash must do no harm."""
    armed = os.environ.get("WORKBENCH_FAILPOINT")
    if not armed:
        return
    _visits[name] = _visits.get(name, 0) + 1
    wanted, _, visit = armed.partition(":")
    if wanted == name and _visits[name] == int(visit or 1):
        os.kill(os.getpid(), signal.SIGKILL)
