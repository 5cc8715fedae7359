"""The parent of one worker: it alone learns how the worker died, and then lets the queue go on.

Started by the dispatcher as a script with `python -I -S`, standard library only. Its death changes nothing for the
worker.
"""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from store import history, runs
from store.connection import StoreError, open_store
from store.runs import ACTIVE, ENDED
from workbench.paths import Home
from workbench.redaction import redact
from workbench.shortage import ran_short
from workbench.supervision.dispatch import advance, conclude
from workbench.supervision.environment import allowed, for_slot
from workbench.training.journal import lines_of, reached

WORKER = "workbench.training.worker"
LOG_TAIL = 65_536
RETRY_SECONDS = 300.0
ERROR_LENGTH = 500
CONTROL_GROUPS = Path("/proc/self/cgroup")
MEMORY = Path("/sys/fs/cgroup")
NO_SPACE = os.strerror(errno.ENOSPC)
"""What a worker that could not even begin says last where the disk is full."""


@dataclass(frozen=True)
class Charge:
    """The attempt a shepherd looks after; `python` is the worker's interpreter.

    `held` are inherited descriptors: the claim, and the locks that keep other users from the slot's GPUs.
    """

    home: Home
    run_id: int
    uid: str
    attempt: int
    held: tuple[int, ...]
    slot: str
    device: str
    python: str

    @property
    def claim(self) -> int:
        return self.held[0]

    @property
    def folder(self) -> Path:
        return self.home.run_folder(self.uid)


@dataclass(frozen=True)
class Ending:
    """How a worker ended: `code` as subprocess gives it, what the log said last, and whether memory ran out."""

    code: int
    last_line: str
    out_of_memory: bool


def look_after(charge: Charge) -> None:
    """Start the worker, wait for it, record how it ended, and start the next run."""
    try:
        ending = carry_out(charge)
        record(charge, ending)
        # What cannot be started again by itself now can be by hand.
        with contextlib.suppress(OSError, sqlite3.Error, StoreError):
            retry(charge)
    finally:
        # The claim also keeps the slot: it goes last, and before the queue is looked at.
        for descriptor in reversed(charge.held):
            os.close(descriptor)
        advance(charge.home)


def carry_out(charge: Charge) -> Ending:
    """Run the worker in a process group of its own, and leave nothing of that group behind."""
    kills, log_start = oom_kills(), os.fstat(sys.stdout.fileno()).st_size
    # Whoever sets this variable sets PATH and PYTHONPATH as well, and so decides what runs with or without it.
    module = os.environ.get("WORKBENCH_WORKER_MODULE") or WORKER
    worker = subprocess.Popen(
        [charge.python, "-m", module, str(charge.folder), str(charge.attempt), str(charge.claim)],
        env=for_slot(os.environ, charge.slot, charge.device),
        stdin=subprocess.DEVNULL,
        close_fds=True,
        pass_fds=(charge.claim,),
        process_group=0,
        cwd="/",
    )
    # Not yet reaped, the worker keeps its number, so the group killed is its own.
    os.waitid(os.P_PID, worker.pid, os.WEXITED | os.WNOWAIT)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(worker.pid, signal.SIGKILL)
    code = worker.wait()
    return Ending(code, last_line(charge.folder / "log.txt", log_start), oom_kills() > kills)


def record(charge: Charge, ending: Ending) -> None:
    """Write the exit code, and the state and cause where the worker did not come to write its own.

    Where the store cannot be written they are left in the run's folder, for who comes next.
    """
    try:
        _record(charge, ending)
    except (OSError, sqlite3.Error, StoreError) as error:
        print(f"the store cannot be written: {error}", file=sys.stderr)
        if history.ending(charge.folder, charge.attempt, ENDED) is None:
            leave_word(charge, ending)


def leave_word(charge: Charge, ending: Ending) -> None:
    """Write into the folder how the worker ended."""
    written = list(lines_of(charge.folder))
    step = reached(written)
    state, reason, words = judge(ending, step)
    now = time.time()
    columns = {"state": state, "reason": reason, "error": words, "exit_code": ending.code, "ended": now}
    event = [now, step, "end", "error", f"{state}: {words}", None]
    history.append(charge.folder, history.Change(len(written), columns, ACTIVE, charge.attempt, event))


def _record(charge: Charge, ending: Ending) -> None:
    with open_store(charge.home.store) as store:
        run = runs.get(store, charge.run_id)
        if run is None or run.uid != charge.uid:
            raise StoreError(f"{charge.home.store}: this run is not in it")
        if run.attempt != charge.attempt:
            return
        state, reason, words = judge(ending, run.step)
        if not conclude(store, run, state, reason, words, exit_code=ending.code):
            ended = runs.get(store, charge.run_id)
            if ended and ended.state in ENDED:
                since = (ended.state,)
                runs.move(store, run.id, ended.state, since=since, attempt=run.attempt, exit_code=ending.code)


def retry(charge: Charge) -> None:
    """Let a run that ran out of memory start again in smaller batches, where its recipe asks for that."""
    with open_store(charge.home.store) as store:
        run = runs.get(store, charge.run_id)
        wished = runs.config(store, [charge.run_id]).get("hardware.retry_oom", {}).get(charge.run_id) == "true"
        if run is None or run.attempt != charge.attempt or not wished or not ran_short(run):
            return
        # In a process of its own: recipes are read with packages that a shepherd does without.
        try:
            child = subprocess.run(
                [charge.python, "-m", "workbench", "--home", str(charge.home.root), "retry", str(run.id)],
                env=allowed(os.environ),
                stdin=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                timeout=RETRY_SECONDS,
                check=False,
            )
            words = child.stderr.decode("utf-8", "replace").strip() if child.returncode else ""
        except (OSError, subprocess.TimeoutExpired) as error:
            words = str(error)
        if words:
            told = f"not started again: {redact(words)}"[:ERROR_LENGTH]
            runs.tell(store, run.id, (time.time(), run.step, "retry", "warning", told, None))


def judge(ending: Ending, step: int) -> tuple[str, str, str]:
    """Return state, reason and words for a worker that ended at `step` without giving its run a state."""
    where = f"at step {step}" if step else "before its first step"
    if ending.code < 0:
        words = f"killed by {_signal_name(-ending.code)} {where}"
        if -ending.code == signal.SIGKILL and ending.out_of_memory:
            return "crashed", "host_oom", f"{words}: the machine ran out of memory"
        return "crashed", "signal", words
    if ending.code > 0:
        reason = "disk_full" if NO_SPACE in ending.last_line else "code"
        return "failed", reason, ending.last_line or f"ended with exit code {ending.code} {where}"
    return "crashed", "code", f"ended without saying so {where}"


def oom_kills() -> int:
    """Return how many processes the kernel has killed for want of memory, in this control group where it counts them
    apart, else on the whole machine; 0 where it does not say."""
    for file in (*_of_control_group(), Path("/proc/vmstat")):
        with contextlib.suppress(OSError, ValueError):
            for line in file.read_text().splitlines():
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    return 0


def _of_control_group() -> list[Path]:
    """Return where the kernel tells of the memory of this process's control group, version 2 and 1."""
    try:
        lines = [line.split(":", 2) for line in CONTROL_GROUPS.read_text().splitlines()]
    except OSError:
        return []
    two = [MEMORY / path.strip("/") / "memory.events" for number, _, path in lines if number == "0"]
    one = [MEMORY / "memory" / path.strip("/") / "memory.oom_control" for _, kind, path in lines if kind == "memory"]
    return [*two, *one]


def last_line(log: Path, start: int) -> str:
    """Return the last line of a log that has words, from byte `start` on: nothing but text, and no secrets."""
    try:
        with log.open("rb") as stream:
            end = stream.seek(0, os.SEEK_END)
            stream.seek(max(start, end - LOG_TAIL))
            lines = stream.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    shown = ("".join(char if char.isprintable() else " " for char in line).strip() for line in reversed(lines))
    return redact(next((line for line in shown if line), ""))[:ERROR_LENGTH]


def become_shepherd() -> None:
    """Be deaf to the terminal, open to children's deaths, and private in what is written."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # Both are inherited through exec: with SIGCHLD ignored no parent learns how its child died.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def main(arguments: list[str]) -> None:
    root, run_id, uid, attempt, held, slot, device, python = arguments
    become_shepherd()
    descriptors = tuple(map(int, held.split(",")))
    look_after(Charge(Home(Path(root)), int(run_id), uid, int(attempt), descriptors, slot, device, python))


if __name__ == "__main__":
    main(sys.argv[1:])
