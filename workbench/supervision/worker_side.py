"""What a worker does before all else: take its life, so that it is known to be alive and starts only once."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

from workbench.supervision import locks

OOM_SCORE = 500
"""Of -1000..1000: when memory runs out the kernel takes a worker rather than the screens or the session."""


def enter(folder: Path, attempt: int, claim_fd: int) -> None:
    """Begin attempt number `attempt` of the run in `folder`; raise SystemExit where it was begun before.

    Call it first, before anything slow is imported. SIGUSR1, the door-bell that says a command is waiting, is
    ignored until the worker sets a handler of its own. From then on the worker moves its state itself:
    `starting` → `running` by compare-and-set with this attempt; where that fails with the run in `stopping`, somebody
    asked it to stop already. At its end it writes `finished`, `stopped`, `paused` or `failed` from any of
    `store.runs.ACTIVE`, and exits with 0.
    """
    if not locks.is_claim(folder, claim_fd):
        raise SystemExit("workers are started by the queue")
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    if not locks.take_life(folder):
        raise SystemExit("another worker of this run is alive")
    try:
        _mark_started(folder, attempt)
    except FileExistsError:
        raise SystemExit(f"attempt {attempt} was started before") from None
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE))
    os.close(claim_fd)


def boot_id() -> str:
    """Return what the kernel calls this boot of the machine, or nothing where it does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def started_attempts(folder: Path) -> list[int]:
    """Return the attempts of a run that a worker began, in order."""
    numbers = (path.name.removeprefix("started.") for path in folder.glob("started.*"))
    return sorted(int(number) for number in numbers if number.isascii() and number.isdecimal() and len(number) < 10)


def started_boot(folder: Path, attempt: int) -> str | None:
    """Return the boot in which an attempt was begun (empty where unknown), or None where it never was."""
    try:
        return (folder / f"started.{attempt}").read_text().strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError):
        return ""


def _mark_started(folder: Path, attempt: int) -> None:
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
    descriptor = os.open(folder / f"started.{attempt}", flags, 0o600)
    try:
        os.write(descriptor, boot_id().encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
