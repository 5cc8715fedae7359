"""Who is alive: locks held in the kernel, never a pid on disk, a heartbeat or a clock.

`claim` (flock) is taken by the dispatcher and inherited by the shepherd and, until it holds `life`, by the worker.
`life` (a POSIX lock) is taken by the worker itself; a forked child does not inherit it, so it is free the moment the
worker dies. A run is alive where either is held: the worker takes `life` before it lets go of `claim`.
"""

from __future__ import annotations

import fcntl
import os
import signal
import stat
import struct
import time
from pathlib import Path

_FLOCK = "hhqqi4x"
"""struct flock of 64-bit Linux: type, whence, start, length, pid."""

_STOPPING = (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)

_own_lives: set[Path] = set()


class Mutex:
    """A lock on a file that one thread of one process holds at a time; it is waited for.

    A terminal cannot stop the thread that holds it (ctrl+z): everybody else would wait until it goes on.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1

    def __enter__(self) -> Mutex:
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
        self._descriptor = _open(self._path)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        return self

    def __exit__(self, *exception: object) -> None:
        os.close(self._descriptor)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)


def take_claim(folder: Path, patience: float = 0.05) -> int | None:
    """Take the claim of a run and return its descriptor, or None where a process of the run still holds it.

    `patience` (seconds) outlasts those who only look: they hold the lock for some microseconds.
    """
    descriptor = _open(folder / "claim")
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(descriptor)
                return None
            time.sleep(0.001)


def take_watch(root: Path) -> int | None:
    """Take the lock of the one process that watches the queue of a home; None where another has it."""
    descriptor = _open(root / "watch.lock")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return descriptor
    except BlockingIOError:
        os.close(descriptor)
        return None


def is_claim(folder: Path, descriptor: int) -> bool:
    """Return whether `descriptor` is the open claim of this run."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(folder / "claim"))
    except OSError:
        return False


def take_life(folder: Path) -> bool:
    """Take the life of a run for this process until it ends; return False where another process has it.

    Closing any descriptor of that file would drop the lock, so no other code opens it.
    """
    descriptor = _open(folder / "life")
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return False
    _own_lives.add(folder.resolve())
    return True


def alive(folder: Path) -> bool:
    """Return whether a process of this run lives: its shepherd, its worker, or one about to be.

    Where the folder is not there, moved or on a disk that is unmounted, its locks cannot be asked; then the processes
    that were started for it are.
    """
    return _claimed(folder) or _life_holder(folder) is not None or (not folder.is_dir() and _seen(folder.name))


def worker_pid(folder: Path) -> int | None:
    """Return the pid of the worker that holds `life` now, or None; never use it to send a signal."""
    return _life_holder(folder) or None


def signal_worker(folder: Path, number: signal.Signals) -> bool:
    """Send a signal to the worker of a run; return False where it has none.

    The lock names the worker and the pidfd pins it; asking again closes the gap in which a pid could be reused.
    """
    pid = worker_pid(folder)
    if pid is None:
        return False
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        if worker_pid(folder) != pid:
            return False
        signal.pidfd_send_signal(handle, number)
        return True
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)


def put_away(path: Path) -> None:
    """Rename what stands in the place of a file of ours and is none: it is kept, and blocks nothing."""
    path.rename(path.with_name(f"bad-{path.name}-{time.time_ns()}"))


def _open(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    if os.path.lexists(path) and not stat.S_ISREG(os.lstat(path).st_mode):
        put_away(path)
    return os.open(path, flags, 0o600)


def _look(path: Path) -> int | None:
    """Open a lock file to ask about it; None where there is none, or something else has its name."""
    try:
        if stat.S_ISREG(os.lstat(path).st_mode):
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except (FileNotFoundError, NotADirectoryError):
        pass
    return None


def _seen(uid: str) -> bool:
    """Return whether a shepherd or a worker of a run is among the processes, told by the words it was started with."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                words = (entry / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
            except OSError:
                continue
            ours = "-m" in words[:3] or any(word.endswith("shepherd.py") for word in words[:5])
            if ours and any(word == uid or word.endswith(f"/{uid}") for word in words):
                return True
    return False


def _claimed(folder: Path) -> bool:
    # Shared, so that two who look at the same time do not see each other.
    descriptor = _look(folder / "claim")
    if descriptor is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)


def _life_holder(folder: Path) -> int | None:
    """Return the pid that holds `life` (0 where it is outside this pid namespace), or None."""
    if folder.resolve() in _own_lives:
        return os.getpid()
    descriptor = _look(folder / "life")
    if descriptor is None:
        return None
    try:
        question = struct.pack(_FLOCK, fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0)
        kind, _, _, _, pid = struct.unpack(_FLOCK, fcntl.fcntl(descriptor, fcntl.F_GETLK, question))
        return None if kind == fcntl.F_UNLCK else max(pid, 0)
    finally:
        os.close(descriptor)
