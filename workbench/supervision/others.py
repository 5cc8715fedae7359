"""GPUs that somebody else uses: no run is put on them. Standard library only.

Whose processes compute on a GPU the driver says. Between the start of a run and its first use of the GPU it cannot, so
the run's shepherd holds a lock for each GPU by its uuid, in a folder that all users of the box share.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

from store import runs
from store.connection import Store
from workbench.paths import Home
from workbench.supervision import locks
from workbench.supervision.driver import computing
from workbench.supervision.slots import Slot

ANSWERING = "workbench.inference.host"
"""The process that answers prompts: small, and its user's own."""

SILENT = "the driver does not answer"


def taken(home: Home, store: Store, slots: Sequence[Slot]) -> dict[str, str]:
    """Return the GPU slots on which a process computes that is not ours, by name, with words about it.

    Where the driver does not answer nobody knows, and all that it named count as taken.
    """
    asked = (slot for slot in slots if not slot.shared)
    known = [slot for slot in asked if any(device.startswith("GPU-") for device in slot.devices)]
    pids = computing() if known else {}
    if pids is None:
        return dict.fromkeys((slot.name for slot in known), SILENT)
    own = {locks.worker_pid(home.run_folder(run.uid)) for run in runs.active(store)}
    found = {}
    for slot in known:
        others = [pid for device in slot.devices for pid in pids.get(device, ()) if not _is_own(pid, own)]
        if others:
            found[slot.name] = f"busy (other): {_describe(others[0])}"
    return found


def hold(slot: Slot) -> list[int] | None:
    """Lock the GPUs of a slot against other users and return the descriptors, or None where one of them has a lock."""
    held: list[int] = []
    for device in () if slot.shared else slot.devices:
        descriptor = _open_lock(device) if device.startswith("GPU-") and device.replace("-", "").isalnum() else None
        if descriptor is None:
            continue
        held.append(descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            release(held)
            return None
    return held


def release(held: Iterable[int]) -> None:
    """Let go of locks."""
    for descriptor in held:
        os.close(descriptor)


def lock_folder() -> Path:
    """Return the folder that all users of the box share for locks: WORKBENCH_LOCKS, /run/lock, or else /tmp."""
    given = os.environ.get("WORKBENCH_LOCKS")
    if given:
        return Path(given)
    usual = Path("/run/lock")
    return usual if usual.is_dir() and usual.stat().st_mode & stat.S_IWOTH else Path("/tmp")


def _open_lock(uuid: str) -> int | None:
    """Open the lock file of a GPU, made by whoever came first; None where that cannot be done, and NVML must do."""
    path, flags = lock_folder() / f"workbench-{uuid}.lock", os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    # First without O_CREAT: in a sticky folder the kernel refuses it on a file of another user.
    with contextlib.suppress(OSError):
        return os.open(path, os.O_RDONLY | flags)
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL | flags, 0o644)
        os.fchmod(descriptor, 0o644)
        return descriptor
    with contextlib.suppress(OSError):
        return os.open(path, os.O_RDONLY | flags)
    return None


def _is_own(pid: int, workers: set[int | None]) -> bool:
    """Return whether a process is a worker, one that a worker started, or one that answers this user's prompts."""
    try:
        if pid in workers or os.getpgid(pid) in workers:
            return True
        process = Path(f"/proc/{pid}")
        return process.stat().st_uid == os.getuid() and ANSWERING.encode() in (process / "cmdline").read_bytes()
    except OSError:
        return False


def _describe(pid: int) -> str:
    try:
        uid = os.stat(f"/proc/{pid}").st_uid
        return f"process {pid} of {pwd.getpwuid(uid).pw_name}"
    except (OSError, KeyError):
        return f"process {pid}"
