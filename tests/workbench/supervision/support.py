"""What the tests of supervision share."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from store import runs
from store.connection import open_store
from store.runs import Run
from workbench.paths import Home
from workbench.recipe import Recipe, parse
from workbench.supervision import locks, progress, worker_side

SECONDS = 30.0


def recipe(name: str, **tables: object) -> Recipe:
    return parse(
        {
            "name": name,
            "task": "sentiment",
            "data": "starter:sentiment",
            "backbone": "size:tiny",
            "strategy": "full",
            **tables,
        }
    )


def until(holds: Callable[[], object], seconds: float = SECONDS) -> None:
    """Wait until something holds; fail where it does not come to."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.01)


def look(home: Home, run: Run) -> Run:
    with open_store(home.store) as store:
        found = runs.get(store, run.id)
    assert found is not None
    return found


def change(home: Home, run: Run, **columns: object) -> None:
    """Set columns of a run behind everybody's back."""
    assignments = ", ".join(f"{name}=?" for name in columns)
    with open_store(home.store) as store, store.write() as connection:
        connection.execute(f"UPDATE run SET {assignments} WHERE id=?", (*columns.values(), run.id))


def until_state(home: Home, run: Run, *states: str) -> Run:
    until(lambda: look(home, run).state in states)
    return look(home, run)


@contextmanager
def standing_still(home: Home, run: Run, seconds: float) -> Iterator[None]:
    """Let a run be alive whose worker had its last event some seconds ago."""
    folder = home.run_folder(run.uid)
    folder.mkdir(parents=True, exist_ok=True)
    claim = locks.take_claim(folder)
    assert claim is not None
    (folder / f"started.{run.attempt}").write_text(worker_side.boot_id())
    (folder / progress.FILE).write_text(f"{run.attempt} {time.monotonic() - seconds} {progress.LEAST_SECONDS}\n")
    try:
        yield
    finally:
        os.close(claim)


def end_all(home: Home) -> None:
    """End every run of a home, the queued ones first: none of them shall start while the others are ended."""
    if home.store.exists():
        with open_store(home.store) as store:
            for run in runs.listing(store, states=("queued",)):
                runs.move(store, run.id, "stopped", since=("queued",))
    for folder in home.runs.iterdir() if home.runs.is_dir() else ():
        until(lambda folder=folder: locks.signal_worker(folder, signal.SIGKILL) or not locks.alive(folder))  # type: ignore[misc]
        until(lambda folder=folder: not locks.alive(folder))  # type: ignore[misc]


def processes(*words: str) -> list[int]:
    """Return the pids of processes whose command line has all of these words."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid() and has_words(int(entry.name), *words):
            found.append(int(entry.name))
    return found


def has_words(pid: int, *words: str) -> bool:
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace")
    except OSError:
        return False
    return all(word in line for word in words)


def kill(pid: int, number: int, *words: str) -> bool:
    """Send a signal to a process if its command line still has these words."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        if not has_words(pid, *words):
            return False
        signal.pidfd_send_signal(handle, number)
        return True
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
