"""The lock under which every commit is made, and who holds it."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LOOK_SECONDS = 0.01
NAME = "write.lock"


@contextmanager
def write_lock(store: Path, timeout: float) -> Iterator[None]:
    """Hold the lock of a store; raise sqlite3.OperationalError where another process keeps it for `timeout` seconds."""
    descriptor = _open(store.with_name(NAME))
    try:
        _take(descriptor, store, timeout)
        yield
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.open(path, flags, 0o600)
    except OSError as error:
        if (path.is_file() and not path.is_symlink()) or not os.path.lexists(path):
            raise _unwritable(path, error) from error
    # Something else has the name: out of the way, kept.
    path.rename(path.with_name(f"bad-{NAME}-{time.time_ns()}"))
    return os.open(path, flags, 0o600)


def _unwritable(path: Path, error: OSError) -> sqlite3.OperationalError:
    return sqlite3.OperationalError(f"attempt to write a readonly database ({path.parent}: {error.strerror})")


def _take(descriptor: int, store: Path, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    wait = LOOK_SECONDS / 16
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise sqlite3.OperationalError(f"the store is locked{holder_words(store)}") from None
            time.sleep(wait)
            wait = min(2 * wait, LOOK_SECONDS)


def holder_words(store: Path) -> str:
    """Return `by process 12 (python), which stands still`, or nothing where the kernel does not say who."""
    for name in (NAME, f"{store.name}-shm", store.name):
        with suppress(OSError):
            for pid in _holders(os.stat(store.with_name(name))):
                if pid != os.getpid():
                    return f" by process {pid}{_described(pid)}"
    return ""


def _holders(state: os.stat_result) -> Iterator[int]:
    """Yield the processes that hold a file locked for writing, as the kernel lists them."""
    place = f"{os.major(state.st_dev):02x}:{os.minor(state.st_dev):02x}:{state.st_ino}"
    for line in Path("/proc/locks").read_text().splitlines():
        words = line.split()
        if len(words) > 5 and words[1] != "->" and words[3] == "WRITE" and words[5] == place:
            yield int(words[4])


def _described(pid: int) -> str:
    try:
        name, _, rest = Path(f"/proc/{pid}/stat").read_text().partition("(")[2].rpartition(")")
    except OSError:
        return ""
    return (
        f" ({name}), which stands still: continue it (kill -CONT {pid}) or end it" if rest[1:2] == "T" else f" ({name})"
    )
