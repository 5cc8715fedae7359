"""A run that stands still is called stalled, never crashed, and goes on as if nothing had been."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from store import runs
from store.connection import open_store
from store.runs import Run
from tests.commands.support import call
from tests.workbench.supervision.support import look, recipe, standing_still, until, until_state
from workbench.paths import Home
from workbench.supervision import locks, progress, queue, worker_side
from workbench.supervision.progress import Progress, stalled_for

SECONDS = 120.0


@pytest.fixture
def brief(home: Home) -> Run:
    """A run that lives and counts as stalled after half a second."""
    run = queue.submit(home, recipe("brief"))
    until(lambda: look(home, run).step == 7 and (home.run_folder(run.uid) / progress.FILE).exists(), SECONDS)
    return look(home, run)


def test_a_stopped_process_is_stalled_and_recovers(home: Home, brief: Run) -> None:
    folder = home.run_folder(brief.uid)
    following = subprocess.Popen(
        [sys.executable, "-m", "workbench", "--home", str(home.root), "log", str(brief.id), "-f"],
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert locks.signal_worker(folder, signal.SIGSTOP)
    until(lambda: stalled_for(folder, 1), SECONDS)
    queue.advance(home)
    assert (look(home, brief).state, look(home, brief).error) == ("running", None)
    (told,) = json.loads(call("ls", "--state", "stalled", "--json", home=home.root).stdout)
    assert (told["state"], told["stalled"] > 0.5) == ("running", True)
    assert "stalled" in call("ls", home=home.root).stdout
    assert "stalled: alive, but nothing new for" in call("show", brief.id, home=home.root).stdout
    assert following.stdout is not None
    assert "stalled: alive" in following.stdout.readline()
    assert locks.signal_worker(folder, signal.SIGCONT)
    until(lambda: stalled_for(folder, 1) is None, SECONDS)
    assert following.stdout.readline() == "it goes on\n"
    assert json.loads(call("ls", "--state", "stalled", "--json", home=home.root).stdout) == []
    queue.stop(home, brief)
    assert until_state(home, brief, "stopped").attempt == 1
    following.wait(SECONDS)


def test_a_stopped_process_that_is_killed_is_crashed(home: Home, brief: Run) -> None:
    folder = home.run_folder(brief.uid)
    assert locks.signal_worker(folder, signal.SIGSTOP)
    until(lambda: stalled_for(folder, 1), SECONDS)
    assert locks.signal_worker(folder, signal.SIGKILL)
    assert until_state(home, brief, "crashed").error == "killed by SIGKILL at step 7"
    assert stalled_for(folder, 1) is None


def test_patience_grows_with_the_longest_wait_so_far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: now[0]))
    claim = locks.take_claim(tmp_path)
    (tmp_path / "started.1").write_text(worker_side.boot_id())
    went = Progress(tmp_path, 1)

    def stalled_after(seconds: float) -> bool:
        then, now[0] = now[0], now[0] + seconds
        stalled = stalled_for(tmp_path, 1)
        now[0] = then
        return stalled is not None

    assert (stalled_after(299), stalled_after(301)) == (False, True)
    went.went_on()
    assert (stalled_after(29), stalled_after(31)) == (False, True)
    now[0] += 20
    went.went_on()
    assert (stalled_after(99), stalled_after(101)) == (False, True)
    went.went_on(long=True)
    assert (stalled_after(299), stalled_after(301)) == (False, True)
    assert claim is not None
    os.close(claim)
    assert not stalled_after(9999)


def test_a_disk_that_takes_nothing_ends_nothing(tmp_path: Path) -> None:
    went = Progress(tmp_path, 1)
    went.close()
    went._descriptor = os.open("/dev/full", os.O_WRONLY)
    went.went_on()
    went.close()


@pytest.mark.parametrize("content", [b"", b"1 2", b"x y z", b"\xff" * 50, b"2 0 1", None])
def test_what_cannot_be_read_says_nothing(home: Home, monkeypatch: pytest.MonkeyPatch, content: bytes | None) -> None:
    monkeypatch.setenv("WORKBENCH_SLOTS", "none")
    run = queue.submit(home, recipe("quick"))
    with open_store(home.store) as store:
        assert runs.start(store, run.id, 1, "cpu")
    run, folder = look(home, run), home.run_folder(run.uid)
    with standing_still(home, run, 40):
        assert stalled_for(folder, 1)
        assert stalled_for(folder, 2) is None
        if content is None:
            (folder / "started.1").write_text("another boot")
        else:
            (folder / progress.FILE).write_bytes(content)
        assert stalled_for(folder, 1) is None
