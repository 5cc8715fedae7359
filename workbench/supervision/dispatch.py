"""The queue goes on: anybody may call `advance` at any time; nothing waits in the background for that.

Standard library only, so that a shepherd starts in milliseconds and needs little memory.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from store import history, runs
from store.connection import Store, StoreError, open_store
from store.runs import ACTIVE, BACKBONE, ENDED, Run
from workbench import handover
from workbench.errors import WorkbenchError
from workbench.paths import Home
from workbench.supervision import folders, locks, worker_side
from workbench.supervision.environment import allowed
from workbench.supervision.slots import Slot, find_slots, fitting
from workbench.training.catching_up import catch_up

SHEPHERD = Path(__file__).with_name("shepherd.py")
MAX_UNBEGUN = 10
"""Attempts in a row that may end before a worker was there; after that the run fails rather than spins."""
LOOK_AHEAD = 32
"""Queued runs looked at for one slot; a run is passed over only while a process of its last attempt ends."""

_shepherds: list[subprocess.Popen[bytes]] = []


def dispatch_lock(home: Home) -> locks.Mutex:
    """Return the lock under which runs are claimed, submitted, resumed and deleted."""
    return locks.Mutex(home.root / "dispatch.lock")


def advance(home: Home) -> None:
    """End runs that nobody carries out any more, and start a queued run in every free slot."""
    _collect_shepherds()
    if not home.store.exists():
        return
    slots = find_slots()
    with dispatch_lock(home), open_store(home.store) as store:
        folders.settle(home, store)
        reap(home, store)
        hand_over(home, store)
        for slot in slots:
            if not is_busy(home, slot):
                start_next(home, store, slot, fitting(slot, slots))


def reap(home: Home, store: Store) -> None:
    """Give every active run of which no process lives its true state; call it under the dispatch lock.

    One whose folder cannot be looked into stays as it is, and keeps nobody else from going on.
    """
    for run in runs.active(store):
        with contextlib.suppress(OSError):
            _reap(home, store, run)


def _reap(home: Home, store: Store, run: Run) -> None:
    folder = home.run_folder(run.uid)
    if locks.alive(folder) or _take_over(store, run, folder):
        return
    boot = worker_side.started_boot(folder, run.attempt)
    if boot is None and run.state == "starting":
        _put_back(store, run, max([0, *worker_side.started_attempts(folder)]))
    elif boot is None and run.state == "stopping":
        conclude(store, run, "paused" if run.pausing else "stopped", "user", "before it began", error=False)
    elif boot and boot != worker_side.boot_id():
        conclude(store, run, "lost", "machine_restart", f"the machine restarted {_at(run)}")
    else:
        conclude(store, run, "lost", None, f"worker and shepherd both died {_at(run)}")


def _take_over(store: Store, run: Run, folder: Path) -> bool:
    """Give a run the end that its worker or shepherd could not bring into the store and left in its folder."""
    change = history.ending(folder, run.attempt, ENDED)
    if change is None:
        return False
    with store.write() as connection:
        applied = runs.apply(connection, run.id, change)
    if applied:
        _catch_up(store, run)
    return applied


def _catch_up(store: Store, run: Run) -> None:
    """Bring the rest of the journal into the store; what cannot be now is brought by a resume or a rebuild."""
    with contextlib.suppress(OSError, sqlite3.Error, StoreError):
        catch_up(store, run, history.folder_of(store.path, run.uid))


def hand_over(home: Home, store: Store) -> None:
    """Give queued runs the models that they waited for, and fail those that wait in vain; under the dispatch lock.

    A run is numbered after the one it waits for, so that what follows from a run that fails here fails with it.
    """
    for run in runs.waiting_for_backbones(store):
        parent = handover.awaited(store, run)
        if parent is not None and parent.state in handover.AWAITED:
            continue
        words = handover.why_in_vain(home, parent)
        if parent is not None and not words:
            try:
                handover.keep(home, parent, home.run_folder(run.uid))
            except WorkbenchError as error:
                words = f"{error.where}: {error.what}"
            except OSError:
                # No room, or a file system that is away: the next look may find it mended.
                continue
        if words or parent is None:
            conclude(store, run, "failed", BACKBONE, words, since=("queued",))
        elif runs.move(store, run.id, "queued", since=("queued",), attempt=run.attempt, reason=None):
            text = f"begins with the best model of run #{parent.id} {parent.name}"
            runs.tell(store, run.id, (time.time(), run.step, "backbone", "info", text, None))


def start_next(home: Home, store: Store, slot: Slot, wishes: Sequence[str]) -> None:
    """Start the first queued run that may use this free slot; call it under the dispatch lock."""
    for run in runs.waiting(store, wishes, LOOK_AHEAD):
        folder = home.run_folder(run.uid)
        if not folder.is_dir():
            conclude(store, run, "failed", "data", f"its folder is gone: {folder}", since=("queued",))
            continue
        try:
            claim = None if locks.alive(folder) else locks.take_claim(folder)
        except OSError:
            # A folder that cannot be written keeps nobody else from starting.
            continue
        if claim is None:
            continue
        try:
            # A store put back from a copy may know fewer attempts than the folder does.
            attempt = max([run.attempt, *worker_side.started_attempts(folder)]) + 1
            occupy(home, slot, run.uid)
            if runs.start(store, run.id, attempt, slot.name):
                _start_shepherd(home, store, run, attempt, slot, claim)
                return
        finally:
            os.close(claim)


def is_busy(home: Home, slot: Slot) -> bool:
    """Return whether a process of the run that had this slot last is still alive, whatever its row says."""
    lease = _lease(home, slot)
    if not lease.is_file():
        return False
    try:
        uid = lease.read_text(encoding="ascii")
        return locks.alive(home.run_folder(uid))
    except (OSError, ValueError):
        return False


def occupy(home: Home, slot: Slot, uid: str) -> None:
    """Write down which run has the slot, before any process of it can use the device."""
    home.slots.mkdir(mode=0o700, exist_ok=True)
    lease = _lease(home, slot)
    draft = lease.with_name(f".{lease.name}")
    for path in (draft, lease):
        if os.path.lexists(path) and (path.is_symlink() or not path.is_file()):
            locks.put_away(path)
    draft.touch(mode=0o600)
    draft.write_text(uid, encoding="ascii")
    draft.rename(lease)


def conclude(
    store: Store,
    run: Run,
    state: str,
    reason: str | None,
    words: str,
    *,
    since: Sequence[str] = ACTIVE,
    error: bool = True,
    exit_code: int | None = None,
) -> bool:
    """End this attempt of a run from outside, and say so among its events; False where it had ended already."""
    now = time.time()
    columns = {"reason": reason, "error": words if error else None, "exit_code": exit_code, "ended": now}
    if not runs.move(store, run.id, state, since=since, attempt=run.attempt, **columns):
        return False
    runs.tell(store, run.id, (now, run.step, "end", "error" if error else "info", f"{state}: {words}", None))
    _catch_up(store, run)
    return True


def _put_back(store: Store, run: Run, last_begun: int) -> None:
    if run.attempt - last_begun >= MAX_UNBEGUN:
        words = f"its worker could not be started, {MAX_UNBEGUN} times in a row; see its log"
        conclude(store, run, "failed", "code", words)
    else:
        runs.move(store, run.id, "queued", since=("starting",), attempt=run.attempt, slot=None)


def _start_shepherd(home: Home, store: Store, run: Run, attempt: int, slot: Slot, claim: int) -> None:
    log = home.run_folder(run.uid) / "log.txt"
    values = (home.root.resolve(), run.id, run.uid, attempt, claim, slot.name, slot.device, sys.executable)
    try:
        output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            shepherd = subprocess.Popen(
                [sys.executable, "-I", "-S", str(SHEPHERD), *map(str, values)],
                env=allowed(os.environ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                close_fds=True,
                pass_fds=(claim,),
                start_new_session=True,
                cwd="/",
            )
        finally:
            os.close(output)
    except OSError as error:
        runs.move(store, run.id, "queued", since=("starting",), attempt=attempt, slot=None)
        raise WorkbenchError(
            f"cannot start a process for this run: {error.strerror}",
            where=f"#{run.id} {run.name}",
            hint="It stays queued. Free memory, processes or disk space, and it starts by itself.",
        ) from error
    _shepherds.append(shepherd)


def _lease(home: Home, slot: Slot) -> Path:
    return home.slots / slot.name.replace("/", "_")


def _collect_shepherds() -> None:
    # Polling lets the kernel forget the shepherds that this process started and that have ended.
    _shepherds[:] = [shepherd for shepherd in _shepherds if shepherd.poll() is None]


def _at(run: Run) -> str:
    return f"at step {run.step}" if run.step else "before its first step"
