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
from workbench.errors import WorkbenchError
from workbench.models import handover
from workbench.paths import Home
from workbench.supervision import folders, locks, others, worker_side
from workbench.supervision.environment import allowed
from workbench.supervision.lost_gpus import is_left_out
from workbench.supervision.slots import Slot, find_slots, fitting, overlap
from workbench.training.catching_up import catch_up

SHEPHERD = Path(__file__).with_name("shepherd.py")
WATCHER = Path(__file__).with_name("watcher.py")
MAX_UNBEGUN = 10
"""Attempts in a row that may end before a worker was there; after that the run fails rather than spins."""
BEFORE_US = "busy (other): another workbench takes it just now"
LOOK_AHEAD = 32
"""Queued runs looked at for one slot; a run is passed over only while a process of its last attempt ends."""

_children: list[subprocess.Popen[bytes]] = []


def dispatch_lock(home: Home) -> locks.Mutex:
    """Return the lock under which runs are claimed, submitted, resumed and deleted."""
    return locks.Mutex(home.root / "dispatch.lock")


def advance(home: Home) -> dict[str, str]:
    """End runs that nobody carries out any more, and start a queued run in every free slot.

    Return the slots by name that a run waits for while somebody else uses their GPU, with words about it; a watcher
    then looks again and again until none does.
    """
    _collect_children()
    if not home.store.exists():
        return {}
    slots = find_slots()
    barred = _go_on(home, slots, None)
    if barred is None:
        # Not under the lock: a driver may take long to answer.
        with open_store(home.store) as store:
            known = others.taken(home, store, slots)
        barred = _go_on(home, slots, known) or {}
    if barred:
        _start_watcher(home)
    return barred


def _go_on(home: Home, slots: Sequence[Slot], taken: dict[str, str] | None) -> dict[str, str] | None:
    """Do one pass with the GPU slots that others have `taken`; None where a run waits for a GPU and they are unknown.

    Return those of them that a run still waits for.
    """
    barred: dict[str, str] = {}
    with dispatch_lock(home), open_store(home.store) as store:
        folders.settle(home, store)
        reap(home, store)
        hand_over(home, store)
        unknown = False
        for slot in (slot for slot in slots if not is_busy(home, slot)):
            wishes = fitting(slot, slots)
            if slot.on_gpu and not runs.waiting(store, wishes, 1):
                continue
            if slot.on_gpu and taken is None:
                unknown = True
            elif slot.on_gpu and taken and slot.name in taken:
                barred[slot.name] = taken[slot.name]
            elif not start_next(home, store, slot, wishes):
                barred[slot.name] = BEFORE_US
        waits = bool(barred) and bool(runs.waiting(store, ("auto", "gpu"), 1))
    return None if unknown else barred if waits else {}


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
        try:
            told = handover.give(home, store, run)
        except WorkbenchError as error:
            words = f"{error.where}: {error.what}" if error.where else error.what
            conclude(store, run, "failed", BACKBONE, words, since=("queued",))
            continue
        except OSError:
            # No room, or a file system that is away: the next look may find it mended.
            continue
        if told is not None and runs.move(store, run.id, "queued", since=("queued",), attempt=run.attempt, reason=None):
            for words in told:
                runs.tell(store, run.id, (time.time(), run.step, "backbone", "info", words, None))


def start_next(home: Home, store: Store, slot: Slot, wishes: Sequence[str]) -> bool:
    """Start the first queued run that may use this free slot; call it under the dispatch lock.

    Return False where another user's workbench is just taking its GPU.
    """
    found = runs.waiting(store, wishes, LOOK_AHEAD)
    held = others.hold(slot) if found else []
    if held is None:
        return False
    try:
        for run in found:
            folder = home.run_folder(run.uid)
            if not folder.is_dir():
                conclude(store, run, "failed", "data", f"its folder is gone: {folder}", since=("queued",))
            elif _start(home, store, run, slot, held):
                break
    finally:
        others.release(held)
    return True


def _start(home: Home, store: Store, run: Run, slot: Slot, held: Sequence[int]) -> bool:
    """Start a queued run, unless a process of it is still ending; `held` are locks of the slot's GPUs."""
    folder = home.run_folder(run.uid)
    try:
        claim = None if locks.alive(folder) else locks.take_claim(folder)
    except OSError:
        # A folder that cannot be written keeps nobody else from starting.
        return False
    if claim is None:
        return False
    try:
        # A store put back from a copy may know fewer attempts than the folder does.
        attempt = max([run.attempt, *worker_side.started_attempts(folder)]) + 1
        occupy(home, slot, run.uid)
        if runs.start(store, run.id, attempt, slot.name):
            _start_shepherd(home, store, run, attempt, slot, (claim, *held))
            return True
        return False
    finally:
        os.close(claim)


def is_busy(home: Home, slot: Slot) -> bool:
    """Return whether a run lives that had this slot last, or one that shares a GPU with it, whatever its row says.

    A slot whose GPU was lost counts as busy until a person clears it.
    """
    return is_left_out(home, slot.name) or occupant(home, slot) is not None


def occupant(home: Home, slot: Slot) -> str | None:
    """Return the uid of the run of which a process keeps this slot, or None where it is free."""
    leases = ((name, uid) for name, uid in _leases(home) if uid.isalnum() and overlap(slot.name, name))
    return next((uid for _, uid in leases if locks.alive(home.run_folder(uid))), None)


def occupy(home: Home, slot: Slot, uid: str) -> None:
    """Write down which run has the slot, and has no other any more, before any process of it can use the device."""
    home.slots.mkdir(mode=0o700, exist_ok=True)
    for name, former in _leases(home):
        if former == uid and name != slot.name:
            (home.slots / name).unlink()
    lease, draft = home.slots / slot.name, home.slots / f".{slot.name}"
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


def _start_shepherd(home: Home, store: Store, run: Run, attempt: int, slot: Slot, held: Sequence[int]) -> None:
    """Start the shepherd of an attempt; `held` are the claim and the locks of GPUs, which it keeps to its end."""
    given = ",".join(map(str, held))
    values = (home.root.resolve(), run.id, run.uid, attempt, given, slot.name, slot.device, sys.executable)
    try:
        _start_child(SHEPHERD, values, home.run_folder(run.uid) / "log.txt", held)
    except OSError as error:
        runs.move(store, run.id, "queued", since=("starting",), attempt=attempt, slot=None)
        raise WorkbenchError(
            f"cannot start a process for this run: {error.strerror}",
            where=f"#{run.id} {run.name}",
            hint="It stays queued. Free memory, processes or disk space, and it starts by itself.",
        ) from error


def _start_watcher(home: Home) -> None:
    """Start the process that looks again until no GPU is waited for that others use, unless there is one."""
    claim = locks.take_watch(home.root)
    if claim is None:
        return
    try:
        home.logs.mkdir(mode=0o700, exist_ok=True)
        _start_child(WATCHER, (home.root.resolve(), claim), home.logs / "watcher.txt", (claim,))
    finally:
        os.close(claim)


def _start_child(script: Path, values: Sequence[object], log: Path, held: Sequence[int]) -> None:
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        child = subprocess.Popen(
            [sys.executable, "-I", "-S", str(script), *map(str, values)],
            env=allowed(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            close_fds=True,
            pass_fds=tuple(held),
            start_new_session=True,
            cwd="/",
        )
    finally:
        os.close(output)
    _children.append(child)


def _leases(home: Home) -> list[tuple[str, str]]:
    """Return the slots that were ever taken and the run that had each last."""
    found = []
    for path in home.slots.iterdir() if home.slots.is_dir() else ():
        if not path.name.startswith(".") and path.is_file():
            with contextlib.suppress(OSError, ValueError):
                found.append((path.name, path.read_text(encoding="ascii")))
    return found


def _collect_children() -> None:
    # Polling lets the kernel forget the processes that this one started and that have ended.
    _children[:] = [child for child in _children if child.poll() is None]


def _at(run: Run) -> str:
    return f"at step {run.step}" if run.step else "before its first step"
