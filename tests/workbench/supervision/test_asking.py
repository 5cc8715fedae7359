"""What a worker is asked is answered with its step; what cannot be done any more is said to be so."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from store import commands, events
from store.commands import Command
from store.connection import open_store
from store.runs import Run
from tests.workbench.supervision.support import change, look, recipe, until, until_state
from workbench.errors import WorkbenchError
from workbench.paths import Home
from workbench.supervision import locks, queue, replies
from workbench.supervision.worker_side import started_attempts


@pytest.fixture
def nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_SLOTS", "none")


def running(home: Home, manner: str = "wait") -> Run:
    run = queue.submit(home, recipe(manner))
    until(lambda: look(home, run).step == 7)
    return look(home, run)


def command_of(home: Home, asked: queue.Asked) -> Command:
    assert asked.command is not None
    with open_store(home.store) as store:
        found = commands.get(store, asked.command)
    assert found is not None
    return found


def test_a_pause_is_answered_frees_the_slot_and_is_resumed(home: Home) -> None:
    run, following = running(home), queue.submit(home, recipe("wait"))
    asked = queue.pause(home, run)
    assert asked.words == f"#{run.id} wait was asked to pause; it saves a checkpoint first"
    answer = replies.wait_for(home, asked)
    assert (answer.words, answer.done, answer.step) == (f"#{run.id} wait pause after update 7, as asked", True, 7)
    assert until_state(home, run, "paused").exit_code in (None, 0)
    until_state(home, following, "running")
    queue.resume(home, run)
    queue.stop(home, following)
    assert until_state(home, run, "running").attempt == 2


@pytest.mark.parametrize("verb", ["checkpoint", "evaluate"])
def test_a_run_that_is_asked_for_something_goes_on(home: Home, verb: str) -> None:
    run = running(home)
    answer = replies.wait_for(home, queue.ask(home, run, verb))
    assert (answer.done, answer.step) == (True, 7)
    assert look(home, run).state == "running"


def test_a_queued_run_is_paused_at_once_and_queued_again(home: Home, nothing_starts: None) -> None:
    run = queue.submit(home, recipe("quick"))
    answer = replies.wait_for(home, queue.pause(home, run))
    assert (answer.words, answer.done, answer.step) == ("#1 quick was taken from the queue: it is paused", True, None)
    now = look(home, run)
    assert (now.state, now.reason, now.error) == ("paused", "user", None)
    with open_store(home.store) as store:
        assert [event.text for event in events.listing(store, run.id)] == ["paused: taken from the queue"]
    assert queue.resume(home, run).state == "queued"


@pytest.mark.parametrize("verb", ["checkpoint", "evaluate"])
def test_a_queued_run_has_nothing_to_save_or_judge(home: Home, nothing_starts: None, verb: str) -> None:
    run = queue.submit(home, recipe("quick"))
    with pytest.raises(WorkbenchError, match="it is queued"):
        queue.ask(home, run, verb)


def test_a_run_that_starts_hears_when_it_can(home: Home) -> None:
    asked = queue.pause(home, queue.submit(home, recipe("wait")))
    assert look(home, asked.run).state in ("stopping", "paused")
    assert replies.wait_for(home, asked).step == 7
    until_state(home, asked.run, "paused")


@pytest.mark.parametrize(("verb", "state"), [("pause", "paused"), ("stop", "stopped")])
def test_a_run_whose_worker_never_came_to_be_ends_as_asked(
    home: Home, nothing_starts: None, verb: str, state: str
) -> None:
    run = queue.submit(home, recipe("quick"))
    change(home, run, state="starting", attempt=1)
    claim = locks.take_claim(home.run_folder(run.uid))
    assert claim is not None
    asked = queue.ask(home, run, verb)
    assert look(home, run).state == "stopping"
    os.close(claim)
    answer = replies.wait_for(home, asked)
    assert (answer.words, answer.done) == (f"#1 quick is {state}: its worker had not begun", True)
    assert started_attempts(home.run_folder(run.uid)) == []


def test_the_last_word_decides_between_pause_and_stop(home: Home) -> None:
    run = running(home, "busy")
    queue.pause(home, run)
    assert look(home, run).pausing
    queue.pause(home, run)
    with pytest.raises(WorkbenchError, match="stopping already"):
        queue.ask(home, run, "checkpoint")
    queue.stop(home, run)
    assert (look(home, run).state, look(home, run).pausing) == ("stopping", False)
    with pytest.raises(WorkbenchError, match="stopping already"):
        queue.pause(home, run)


def test_a_busy_worker_is_told_of(home: Home) -> None:
    run = running(home, "busy")
    with open_store(home.store) as store, store.write() as connection:
        events.append(connection, run.id, [(1.0, 7, "eval", "info", "evaluating 3 000 rows", None)])
    asked = queue.ask(home, run, "evaluate")
    until(lambda: command_of(home, asked).accepted_step == 7)
    answer = replies.wait_for(home, asked, seconds=0)
    assert (answer.done, answer.step) == (False, None)
    assert answer.words == (
        "#1 busy heard it at update 7 and is busy, and last said: evaluating 3 000 rows. "
        "It does so before its next update"
    )


def test_who_gives_up_waits_no_longer(home: Home) -> None:
    run = running(home, "busy")
    given_up = threading.Event()
    given_up.set()
    assert not replies.wait_for(home, queue.ask(home, run, "checkpoint"), given_up=given_up.is_set).done


def test_a_worker_that_dies_first_is_told_of_and_the_next_one_hears_nothing(home: Home) -> None:
    run = running(home, "busy")
    asked = queue.ask(home, run, "checkpoint")
    assert locks.signal_worker(home.run_folder(run.uid), signal.SIGKILL)
    answer = replies.wait_for(home, asked)
    assert not answer.done
    assert answer.words == "#1 busy did not come to it: it is crashed, killed by SIGKILL at step 7"
    until(lambda: not locks.alive(home.run_folder(run.uid)))
    queue.resume(home, run)
    until(lambda: look(home, run).attempt == 2 and look(home, run).state == "running")
    second = queue.ask(home, run, "evaluate")
    until(lambda: command_of(home, second).accepted_step == 7)
    assert command_of(home, asked).done_step is None
    with open_store(home.store) as store:
        assert commands.waiting(store, run.id, 2) == []


def test_a_dead_run_is_not_asked(home: Home, nothing_starts: None) -> None:
    run = queue.submit(home, recipe("quick"))
    change(home, run, state="running", attempt=1)
    for verb in ("pause", "checkpoint", "evaluate"):
        with pytest.raises(WorkbenchError, match="it is lost"):
            queue.ask(home, look(home, run), verb)


def test_a_repeat_begins_with_what_the_first_began_with(home: Home, nothing_starts: None) -> None:
    run = queue.submit(home, recipe("quick"))
    folder = home.run_folder(run.uid)
    with pytest.raises(WorkbenchError, match="nothing to repeat"):
        queue.repeat(home, run, recipe("quick"))
    change(home, run, step=7, state="finished")
    (folder / "begun.json").write_text('{"threads": 3}')
    for name in ("backbone", "teacher"):
        (folder / name).mkdir()
        (folder / name / "model.safetensors").write_text(name)
    again = queue.repeat(home, run, recipe("quick"))
    assert (again.parent_id, again.recipe_hash, again.name) == (run.id, run.recipe_hash, "quick-2")
    kept = home.run_folder(again.uid)
    assert (kept / "begun.json").read_text() == '{"threads": 3}'
    assert [same_file(folder / name, kept / name) for name in ("backbone", "teacher")] == [True, True]


def same_file(one: Path, other: Path) -> bool:
    return (one / "model.safetensors").samefile(other / "model.safetensors")
