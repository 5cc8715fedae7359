"""When there is no room: which errors say so, and how much is free. Standard library only."""

from __future__ import annotations

import errno
import os
import re
import resource
from pathlib import Path

CODES = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""No space, the user's quota is used up, the file is larger than this process may write."""

_IN_WORDS = re.compile(rf"\(os error ({'|'.join(map(str, CODES))})\)")


def is_full(error: BaseException) -> bool:
    """Return whether an error says that there is no room; safetensors has the system's code in its words alone."""
    return (isinstance(error, OSError) and error.errno in CODES) or bool(_IN_WORDS.search(str(error)))


def free_bytes(place: Path) -> int:
    """Return how much this user may still write where `place` lies."""
    state = os.statvfs(place)
    return state.f_bavail * state.f_frsize


def total_bytes(place: Path) -> int:
    """Return the size of the file system that holds `place`."""
    state = os.statvfs(place)
    return state.f_blocks * state.f_frsize


def largest_file() -> int | None:
    """Return how large a file this process may write, or None where nothing limits it."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    return None if limit == resource.RLIM_INFINITY else limit
