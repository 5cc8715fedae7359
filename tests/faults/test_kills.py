"""Killed workers resume to the bit; a death shows with its cause."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from store import events, runs
from store.connection import open_store
from tests.faults import kills
from tests.workbench.supervision.support import end_all
from workbench.supervision import locks, queue

PATIENCE = 120.0


KILLS = (sys.executable, "-m", "tests.faults.kills")


def test_kills_at_random_and_at_each_failpoint_and_commands_leave_no_trace() -> None:
    storm = subprocess.run(
        [*KILLS, "--kills", "8", "--asked", "6", "--failpoints", "--visits", "2", "--recipes", "hard,scratch"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert storm.returncode == 0, storm.stdout + storm.stderr
    assert storm.stdout.startswith("8 kills in ")
    assert f"{len(kills.names_of_failpoints())} kills at " in storm.stdout
    assert " answers in " in storm.stdout


def test_every_failpoint_has_a_name_of_its_own() -> None:
    names = kills.names_of_failpoints()
    assert len(names) == len(set(names)) > 0


def test_a_killed_worker_shows_its_cause_and_resumes_as_if_it_had_never_died(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKBENCH_SLOTS", "none")
    unharmed = kills.make(tmp_path / "unharmed", "gradual", threads=1)
    killed = kills.make(tmp_path / "killed", "gradual", threads=1)
    monkeypatch.setenv("WORKBENCH_SLOTS", "cpu")
    try:
        _train(unharmed)
        queue.advance(killed.home)
        _wait(killed, lambda run: run.step >= 5)
        assert locks.signal_worker(killed.folder, signal.SIGKILL)
        dead = _wait(killed, lambda run: run.state == "crashed")
        assert dead.error is not None
        assert "SIGKILL" in dead.error
        with open_store(killed.home.store) as store:
            queue.resume(killed.home, dead)
            ended = _wait(killed, lambda run: run.state in runs.ENDED)
            notes = [event.text for event in events.listing(store, killed.run_id, kind="resume")]
    finally:
        end_all(unharmed.home)
        end_all(killed.home)
    assert (ended.state, ended.attempt) == ("finished", 2)
    assert kills.differing(kills.fingerprint(unharmed), kills.fingerprint(killed)) == []
    assert any("resumed after update" in note for note in notes), notes


def _train(trial: kills.Trial) -> None:
    queue.advance(trial.home)
    run = _wait(trial, lambda run: run.state in runs.ENDED)
    assert run.state == "finished", run.error


def _wait(trial: kills.Trial, arrived) -> runs.Run:  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + PATIENCE
    with open_store(trial.home.store) as store:
        while time.monotonic() < deadline:
            run = runs.get(store, trial.run_id)
            assert run is not None
            if arrived(run):
                return run
            time.sleep(0.02)
    raise AssertionError(f"waited {PATIENCE} s: {run}")
