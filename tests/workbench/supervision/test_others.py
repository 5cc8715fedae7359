"""A GPU that somebody else uses is not taken, and is taken when it is free, with nobody looking.

No hardware: a program stands in for the child process that asks the driver, and prints, hangs or dies as that may.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from store.connection import open_store
from tests.workbench.supervision.support import kill, look, processes, recipe, until, until_state
from workbench.paths import Home
from workbench.supervision import dispatch, driver, locks, others, queue
from workbench.supervision.slots import Slot, find_slots

Says = Callable[[str], None]


@pytest.fixture
def driver_says(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Says]:
    """Let the driver say a text (`index uuid pid …`, a GPU a line), or do what a shell command does."""
    stand_in = tmp_path / "driver"
    monkeypatch.setenv("WORKBENCH_DRIVER", str(stand_in))
    monkeypatch.setenv("WORKBENCH_LOCKS", str(tmp_path))
    monkeypatch.setenv("WORKBENCH_SLOTS", "gpu:0")

    def say(text: str) -> None:
        draft = stand_in.with_suffix(".new")
        command = text if text.startswith("exec") else f"echo asked >> {tmp_path}/asked\nprintf '{text}'"
        draft.write_text(f"#!/bin/sh\n{command}\n")
        draft.chmod(0o700)
        draft.rename(stand_in)
        monkeypatch.setattr(driver, "_answers", driver._Answers())

    yield say
    until(lambda: not [pid for pid in watchers(home) if kill(pid, signal.SIGKILL, "watcher.py")])


def watchers(home: Home) -> list[int]:
    return processes("watcher.py", str(home.root))


@pytest.fixture
def stranger() -> Iterator[int]:
    """Yield the pid of a process that is none of ours."""
    process = subprocess.Popen(["sleep", "600"])
    yield process.pid
    process.kill()
    process.wait()


def test_a_gpu_in_use_is_taken_once_it_is_free_with_nobody_looking(
    home: Home, driver_says: Says, stranger: int
) -> None:
    driver_says(f"0 GPU-aa11 {stranger}\\n")
    run = queue.submit(home, recipe("quick"))
    assert run.state == "queued"
    (words,) = queue.advance(home).values()
    assert words.startswith(f"busy (other): process {stranger} of ")
    assert len(watchers(home)) == 1
    driver_says("0 GPU-aa11\\n")
    assert until_state(home, run, "finished").slot == "gpu:0"
    until(lambda: not watchers(home))


def test_a_gpu_that_is_to_be_shared_is_taken_all_the_same(
    home: Home, driver_says: Says, stranger: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver_says(f"0 GPU-aa11 {stranger}\\n")
    monkeypatch.setenv("WORKBENCH_SLOTS", "gpu:0!")
    run = queue.submit(home, recipe("environment"))
    assert until_state(home, run, "finished").slot == "gpu:0"
    assert "GPU-aa11" in (home.run_folder(run.uid) / "environment.json").read_text()


def test_a_killed_watcher_is_replaced_by_whoever_looks(home: Home, driver_says: Says, stranger: int) -> None:
    driver_says(f"0 GPU-aa11 {stranger}\\n")
    queue.submit(home, recipe("quick"))
    (first,) = watchers(home)
    kill(first, signal.SIGKILL, "watcher.py")
    until(lambda: not watchers(home))
    queue.advance(home)
    queue.advance(home)
    (second,) = watchers(home)
    assert second != first


@pytest.mark.parametrize("says", ["exec sleep 600", "exec sh -c 'kill -SEGV $$'", "nonsense\\n"])
def test_a_driver_that_hangs_dies_or_babbles_takes_no_gpu_into_use(
    home: Home, driver_says: Says, monkeypatch: pytest.MonkeyPatch, says: str
) -> None:
    driver_says("0 GPU-aa11\\n")
    assert find_slots() == [Slot("gpu:0", "GPU-aa11")]
    known = driver._answers.first
    driver_says(says)
    driver._answers.first = known
    monkeypatch.setattr(driver, "NVML_SECONDS", 0.5)
    begun = time.monotonic()
    run = queue.submit(home, recipe("quick"))
    assert queue.advance(home) == {"gpu:0": others.SILENT}
    assert time.monotonic() - begun < 20
    assert look(home, run).state == "queued"


def test_the_driver_is_asked_seldom_and_only_for_a_run_that_wants_a_gpu(
    home: Home, driver_says: Says, stranger: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver_says(f"0 GPU-aa11 {stranger}\\n")
    monkeypatch.setattr(dispatch, "_start_watcher", lambda home: None)
    monkeypatch.setattr(driver, "LASTING", 0.0)
    for _ in range(5):
        queue.advance(home)
    asked = tmp_path / "asked"
    assert len(asked.read_text().split()) == 1
    monkeypatch.setattr(driver, "LASTING", 600.0)
    queue.submit(home, recipe("quick"))
    for _ in range(5):
        queue.advance(home)
    assert len(asked.read_text().split()) == 2


def test_own_processes_are_no_others(home: Home, driver_says: Says, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_SLOTS", "cpu")
    run = until_state(home, queue.submit(home, recipe("family")), "running")
    folder = home.run_folder(run.uid)
    until(lambda: (folder / "child").exists() and (folder / "child").read_text())
    worker, child = locks.worker_pid(folder), int((folder / "child").read_text())
    answering = subprocess.Popen([sys.executable, "-c", "input()", "workbench.inference.host"], stdin=subprocess.PIPE)
    slot = Slot("gpu:0", "GPU-aa11")
    until(lambda: b"inference.host" in Path(f"/proc/{answering.pid}/cmdline").read_bytes())
    with open_store(home.store) as store:
        for pids, free in (
            ((worker, child, answering.pid), True),
            ((worker, os.getpid()), False),
            ((99_999_999,), False),
        ):
            driver_says(f"0 GPU-aa11 {' '.join(map(str, pids))}\\n")
            assert (others.taken(home, store, [slot]) == {}) == free
    answering.kill()
    answering.communicate()
    queue.stop(home, run)
    until_state(home, run, "stopped")


def test_two_workbenches_do_not_take_one_gpu_at_once(home: Home, driver_says: Says, tmp_path: Path) -> None:
    driver_says("0 GPU-aa11\\n1 GPU-bb22\\n")
    theirs = others.hold(Slot("gpu:1+0", "GPU-bb22,GPU-aa11"))
    assert theirs is not None
    assert others.hold(Slot("gpu:0", "GPU-aa11")) is None
    run = queue.submit(home, recipe("wait"))
    assert queue.advance(home) == {"gpu:0": dispatch.BEFORE_US}
    others.release(theirs)
    queue.advance(home)
    run = until_state(home, run, "running")
    assert others.hold(Slot("gpu:0", "GPU-aa11")) is None
    queue.stop(home, run)
    until_state(home, run, "stopped")
    until(lambda: (held := others.hold(Slot("gpu:0", "GPU-aa11"))) is not None and others.release(held) is None)
    assert (tmp_path / "workbench-GPU-aa11.lock").stat().st_mode & 0o777 == 0o644


def test_a_lock_that_cannot_be_opened_bars_nobody(driver_says: Says, tmp_path: Path) -> None:
    (tmp_path / "workbench-GPU-aa11.lock").symlink_to("/etc/passwd")
    assert others.hold(Slot("gpu:0", "GPU-aa11")) == []
    assert others.hold(Slot("gpu:0", "GPU-../../x")) == []
