"""Forged, stale and damaged leftovers never keep a run from starting, and a folder that is gone kills no truth."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from store import history, runs
from store.connection import open_store
from tests.workbench.supervision.support import change, look, processes, recipe, until, until_state
from workbench.paths import Home
from workbench.supervision import locks, queue, worker_side
from workbench.training.publish import newest_valid, prune, publish, step_folder


def a_folder(path: Path) -> None:
    path.mkdir(parents=True)
    (path / "something").write_text("x")


def a_link(path: Path) -> None:
    path.symlink_to("/etc/hostname")


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def rubbish(path: Path) -> None:
    path.write_bytes(b"\xff\x00 rubbish \x1b[31m")


SHAPES: dict[str, Callable[[Path], None]] = {
    "a folder": a_folder, "a link": a_link, "a pipe": a_pipe, "rubbish": rubbish,
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_leftovers_of_any_shape_keep_no_run_from_starting(
    home: Home, shape: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("WORKBENCH_SLOTS", "none")
        first, second = queue.submit(home, recipe("quick")), queue.submit(home, recipe("quick"))
    folder = home.run_folder(first.uid)
    names = [folder / "claim", folder / "life", home.slots / "cpu", home.slots / ".cpu", folder / "started.x"]
    names += [folder / f"started.{'9' * 30}", home.moving / "no run.new", home.moving / "rubbish", folder / "reserve"]
    for path in names:
        SHAPES[shape](path)
    (home.root / "dispatch.lock").unlink()
    if shape != "rubbish":
        (home.root / "write.lock").unlink(missing_ok=True)
        SHAPES[shape](home.root / "write.lock") if shape != "a pipe" else None
    SHAPES[shape](home.root / "dispatch.lock")
    queue.advance(home)
    for run in (first, second):
        ended = until_state(home, run, *runs.ENDED)
        assert (ended.state, ended.attempt) == ("finished", 1)


def test_a_begun_attempt_that_is_forged_is_passed_over(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("WORKBENCH_SLOTS", "none")
        run = queue.submit(home, recipe("quick"))
    (home.run_folder(run.uid) / "started.7").write_text("another boot")
    queue.advance(home)
    assert until_state(home, run, "finished").attempt == 8


def test_a_run_whose_lock_files_are_gone_is_judged_by_its_processes(home: Home) -> None:
    """Let nothing be left of a run but its row, and its processes be dead."""
    run = queue.submit(home, recipe("wait"))
    until_state(home, run, "running")
    (shepherd,) = processes("shepherd.py", run.uid)
    os.kill(shepherd, signal.SIGKILL)
    locks.signal_worker(home.run_folder(run.uid), signal.SIGKILL)
    until(lambda: not locks.alive(home.run_folder(run.uid)))
    shutil.rmtree(home.run_folder(run.uid))
    queue.advance(home)
    assert look(home, run).state == "lost"
    queue.delete(home, run)
    with open_store(home.store) as store:
        assert runs.get(store, run.id) is None


def test_a_run_whose_folder_was_moved_is_not_called_dead(home: Home) -> None:
    run = queue.submit(home, recipe("wait"))
    until_state(home, run, "running")
    folder, elsewhere = home.run_folder(run.uid), home.root / "elsewhere"
    other = queue.submit(home, recipe("quick"))
    folder.rename(elsewhere)
    for _ in range(3):
        queue.advance(home)
    assert locks.alive(folder)
    assert [look(home, each).state for each in (run, other)] == ["running", "queued"]
    elsewhere.rename(folder)
    queue.stop(home, run)
    assert until_state(home, run, *runs.ENDED).state == "stopped"
    assert until_state(home, other, *runs.ENDED).state == "finished"


def test_a_dead_run_gets_the_end_that_stands_in_its_folder(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_SLOTS", "none")
    run = queue.submit(home, recipe("quick"))
    folder = home.run_folder(run.uid)
    change(home, run, state="running", attempt=1)
    (folder / "started.1").write_text(worker_side.boot_id())
    columns = {"state": "failed", "reason": "nan", "error": "no finite gradient", "ended": 5.0}
    event = [5.0, 3, "end", "error", "failed: no finite gradient", None]
    history.append(folder, history.Change(0, columns, runs.ACTIVE, 1, event))
    history.append(folder, history.Change(0, columns | {"state": "crashed"}, runs.ACTIVE, 1))
    queue.advance(home)
    ended = look(home, run)
    assert (ended.state, ended.reason, ended.error, ended.ended) == ("failed", "nan", "no finite gradient", 5.0)


def test_a_torn_line_of_a_history_costs_no_other(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_SLOTS", "none")
    folder = home.run_folder(queue.submit(home, recipe("quick")).uid)
    history.append(folder, history.Change(1, {"state": "running"}))
    with (folder / history.FILE).open("ab") as file:
        file.write(b'{"journal": 1, "col')
    history.append(folder, history.Change(2, {"state": "finished"}))
    assert [each.journal for each in history.changes(folder)] == [1, 2]


def test_leavings_among_checkpoints_are_passed_over(tmp_path: Path) -> None:
    def write(folder: Path) -> None:
        (folder / "file").write_text("good")

    a_folder(tmp_path / "step-noughts")
    rubbish(tmp_path / "step-00000009")
    rubbish(tmp_path / ".tmp-step-00000002")
    a_folder(tmp_path / ".tmp-step-00000003")
    for step in (2, 3):
        publish(step_folder(tmp_path, step), write)
    assert prune(tmp_path, 1) == [3]
    broken: list[str] = []
    assert newest_valid(tmp_path, broken) == step_folder(tmp_path, 3)
    assert broken == []
    assert list(tmp_path.glob(".tmp-*")) == []
