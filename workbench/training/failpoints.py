"""Places where a test may pull the plug. Without WORKBENCH_FAILPOINT they do nothing.

`WORKBENCH_FAILPOINT=name:visit:action` does this at that visit of that place: `kill` (where none is given) ends the
process by SIGKILL, `oom` raises what torch does when a GPU is full, `enospc` what the system does when a disk is,
`sleep` stands still, `nan` asks for a number that is none. `3+` as the visit means the third and all after it.
"""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Callable

SLEEP_SECONDS = 600.0
OUT_OF_MEMORY = (
    "CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of 7.79 GiB of which 1.25 GiB is free. "
    "Including non-PyTorch memory, this process has 6.53 GiB memory in use."
)

_visits: dict[str, int] = {}


def failpoint(name: str) -> bool:
    """Mark a place where a fault must do no harm; return whether the number made here shall be not a number."""
    armed = os.environ.get("WORKBENCH_FAILPOINT")
    if not armed:
        return False
    _visits[name] = _visits.get(name, 0) + 1
    wanted, visit, action = (*armed.split(":"), "", "")[:3]
    first, onwards = int(visit.removesuffix("+") or 1), visit.endswith("+")
    if wanted != name or _visits[name] < first or (_visits[name] > first and not onwards):
        return False
    return ACTIONS[action or "kill"]()


def _kill() -> bool:
    os.kill(os.getpid(), signal.SIGKILL)
    return False


def _fill_gpu() -> bool:
    import torch

    raise torch.OutOfMemoryError(OUT_OF_MEMORY)


def _fill_disk() -> bool:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _sleep() -> bool:
    time.sleep(SLEEP_SECONDS)
    return False


ACTIONS: dict[str, Callable[[], bool]] = {
    "kill": _kill,
    "oom": _fill_gpu,
    "enospc": _fill_disk,
    "sleep": _sleep,
    "nan": lambda: True,
}
