"""Submit, stop, resume and delete do what they say, and refuse the rest with a next step."""

from __future__ import annotations

import fcntl
import json
import os
import time
from pathlib import Path

import pytest

from store import commands, events, points, runs
from store.connection import open_store
from store.runs import Run
from tests.workbench.supervision.support import change, look, recipe, until, until_state
from workbench.errors import WorkbenchError
from workbench.paths import Home
from workbench.recipe import loads
from workbench.supervision import dispatch, folders, locks, queue


def quiet(home: Home, run: Run) -> None:
    """Wait until no process of a run is left."""
    until(lambda: not locks.alive(home.run_folder(run.uid)))


@pytest.fixture
def nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_SLOTS", "none")


def test_a_run_is_carried_out(home: Home) -> None:
    run = queue.submit(home, recipe("quick"))
    assert (run.state, run.attempt, run.slot) == ("starting", 1, "cpu")
    run = until_state(home, run, "finished")
    until(lambda: look(home, run).exit_code == 0)
    assert run.error is None
    assert run.started is not None
    assert run.started >= run.created


def test_a_run_says_what_its_recipe_is_about(home: Home, nothing_starts: None) -> None:
    given = recipe("quick", backbone="/models/distilbert", data={"train": "/data/reviews/train.csv"})
    run = queue.submit(home, given, grp="seeds")
    assert (run.task, run.backbone, run.strategy, run.dataset) == ("sentiment", "distilbert", "full", "reviews")
    assert (run.state, run.grp, run.seed, run.goal_key) == ("queued", "seeds", 42, "eval/accuracy")
    assert run.recipe_hash == given.hash()
    assert loads(run.recipe) == given
    folder = home.run_folder(run.uid)
    assert loads((folder / "recipe.toml").read_text()) == given
    card = json.loads((folder / "run.json").read_text())
    assert card == {name: getattr(run, name) for name in folders.DESCRIBED} | {"parent_uid": None}
    assert {"id", "uid", "name", "created", "grp", "recipe_hash"} <= card.keys()
    with open_store(home.store) as store:
        assert runs.config(store, [run.id])["hardware.device"] == {run.id: "auto"}


def test_uids_sort_by_time() -> None:
    first = queue.new_uid()
    later = time.time_ns() // 1_000_000 + 1
    until(lambda: time.time_ns() // 1_000_000 > later)
    second = queue.new_uid()
    assert first < second
    assert len(first) == len(second) == 26
    assert (first + second).isalnum()


def test_names_in_use_get_a_number(home: Home, nothing_starts: None) -> None:
    names = [queue.submit(home, recipe(name)).name for name in ("quick", "quick", "quick-2", "quick", "qu")]
    assert names == ["quick", "quick-2", "quick-2-2", "quick-3", "qu"]


def test_a_child_names_its_parent(home: Home, nothing_starts: None) -> None:
    parent = queue.submit(home, recipe("quick"))
    child = queue.submit(home, recipe("quick"), parent_id=parent.id)
    assert child.parent_id == parent.id
    assert json.loads((home.run_folder(child.uid) / "run.json").read_text())["parent_uid"] == parent.uid
    with pytest.raises(WorkbenchError, match="no such run"):
        queue.submit(home, recipe("quick"), parent_id=99)


def test_what_a_run_writes_is_private(home: Home) -> None:
    before = os.umask(0o022)
    try:
        run = until_state(home, queue.submit(home, recipe("quick")), "finished")
    finally:
        os.umask(before)
    quiet(home, run)
    folder = home.run_folder(run.uid)
    assert folder.stat().st_mode & 0o777 == 0o700
    files = [path for path in home.root.rglob("*") if path.is_file()]
    assert {"recipe.toml", "run.json", "log.txt", "claim", "life", "started.1", "cpu"} <= {path.name for path in files}
    for path in files:
        assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.parametrize("crash", ["create", "publish"])
def test_a_crash_while_submitting_leaves_nothing_half_made(
    home: Home, nothing_starts: None, monkeypatch: pytest.MonkeyPatch, crash: str
) -> None:
    def die(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(runs if crash == "create" else folders, crash, die)
        with pytest.raises(KeyboardInterrupt):
            queue.submit(home, recipe("quick"))
    assert not list(home.runs.iterdir())
    queue.advance(home)
    assert not list(home.moving.iterdir())
    with open_store(home.store) as store:
        found = runs.listing(store)
    assert [path.name for path in home.runs.iterdir()] == [run.uid for run in found]
    assert len(found) == (0 if crash == "create" else 1)
    for run in found:
        assert {path.name for path in home.run_folder(run.uid).iterdir()} == {"recipe.toml", "run.json"}


def test_forged_leftovers_block_nothing(home: Home) -> None:
    for name in ("x", "quick.new", "..new", "01ARZ3NDEKTSV4RRFFQ69G5FAV.gone"):
        (home.moving / name).mkdir()
    (home.moving / "file.new").touch()
    (home.trash / "x").mkdir()
    (home.trash / "x" / "taken").touch()
    (home.slots / "cpu").write_text("../../etc")
    until_state(home, queue.submit(home, recipe("quick")), "finished")


def test_one_slot_carries_out_one_run_at_a_time_in_order(home: Home) -> None:
    submitted = [queue.submit(home, recipe("quick")) for _ in range(4)]
    ended = [until_state(home, run, "finished") for run in submitted]
    times = [run.started for run in ended]
    assert None not in times
    assert times == sorted(times, key=lambda value: value or 0)
    assert not (home.root / "VIOLATION").exists()


@pytest.mark.parametrize(
    ("moves", "names"),
    [
        ([("c", "first")], "cabd"),
        ([("a", "last")], "bcda"),
        ([("d", "up"), ("d", "up")], "adbc"),
        ([("b", "down"), ("a", "up"), ("d", "down")], "acbd"),
        ([("d", "first"), ("c", "first"), ("d", "down")], "cadb"),
    ],
)
def test_the_order_can_be_changed(home: Home, nothing_starts: None, moves: list[tuple[str, str]], names: str) -> None:
    given = {name: queue.submit(home, recipe(name)) for name in "abcd"}
    places = [queue.reorder(home, given[name], where) for name, where in moves]
    assert places[-1] == names.index(moves[-1][0]) + 1
    queue.submit(home, recipe("e"))
    with open_store(home.store) as store:
        assert "".join(run.name for run in runs.queued(store)) == f"{names}e"


def test_the_order_is_that_in_which_runs_start(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_SLOTS", "none")
    given = [queue.submit(home, recipe("quick")) for _ in range(3)]
    queue.reorder(home, given[2], "first")
    monkeypatch.setenv("WORKBENCH_SLOTS", "cpu")
    queue.advance(home)
    ended = [until_state(home, run, "finished") for run in given]
    assert sorted(ended, key=lambda run: run.started or 0.0) == [ended[2], ended[0], ended[1]]


def test_only_a_queued_run_is_moved(home: Home) -> None:
    run = until_state(home, queue.submit(home, recipe("quick")), "finished")
    with pytest.raises(WorkbenchError, match="no place in the queue: it is finished"):
        queue.reorder(home, run, "first")


def test_a_resumed_run_waits_in_its_own_turn(home: Home, nothing_starts: None) -> None:
    first, second, third = (queue.submit(home, recipe("quick")) for _ in range(3))
    queue.reorder(home, third, "first")
    change(home, third, state="stopped")
    queue.resume(home, third)
    with open_store(home.store) as store:
        assert [run.id for run in runs.queued(store)] == [first.id, second.id, third.id]


def test_a_run_that_fails_does_not_stop_the_queue(home: Home) -> None:
    submitted = [queue.submit(home, recipe(name)) for name in ("exit", "silent", "exit", "quick")]
    ended = [until_state(home, run, *runs.ENDED).state for run in submitted]
    assert ended == ["failed", "crashed", "failed", "finished"]


def test_a_queued_run_is_stopped_at_once(home: Home, nothing_starts: None) -> None:
    run = queue.submit(home, recipe("quick"))
    assert "taken from the queue" in queue.stop(home, run).words
    run = look(home, run)
    assert (run.state, run.reason, run.error) == ("stopped", "user", None)
    assert run.ended is not None
    with open_store(home.store) as store:
        assert [event.kind for event in events.listing(store, run.id)] == ["end"]


def test_an_active_run_is_asked_to_stop(home: Home) -> None:
    run = until_state(home, queue.submit(home, recipe("wait")), "running")
    assert "asked to stop" in queue.stop(home, run).words
    assert look(home, run).state in ("stopping", "stopped")
    run = until_state(home, run, "stopped")
    until(lambda: look(home, run).exit_code == 0)
    with open_store(home.store) as store:
        command = commands.get(store, 1)
    assert command is not None
    assert (command.verb, command.attempt, command.done_step) == ("stop", 1, 7)


def test_a_run_may_be_stopped_before_its_worker_is_up(home: Home) -> None:
    run = queue.submit(home, recipe("wait"))
    queue.stop(home, run)
    until_state(home, run, "stopped")


def test_a_stopped_run_is_resumed_as_its_next_attempt(home: Home) -> None:
    run = until_state(home, queue.submit(home, recipe("wait")), "running")
    queue.stop(home, run)
    until_state(home, run, "stopped")
    queue.resume(home, run)
    run = until_state(home, run, "running")
    assert (run.attempt, run.ended, run.exit_code) == (2, None, None)
    queue.stop(home, run)
    until_state(home, run, "stopped")


@pytest.mark.parametrize("state", ["paused", "stopped", "failed", "crashed", "lost"])
def test_runs_that_ended_early_are_resumed(home: Home, nothing_starts: None, state: str) -> None:
    run = queue.submit(home, recipe("quick"))
    change(home, run, state=state, error="words", reason="code", ended=1.0, attempt=4)
    resumed = queue.resume(home, run)
    assert (resumed.state, resumed.error, resumed.reason, resumed.ended) == ("queued", None, None, None)
    assert resumed.attempt == 4


@pytest.mark.parametrize("state", ["finished", "queued", "running", "stopping", "starting"])
def test_other_runs_are_not(home: Home, nothing_starts: None, state: str) -> None:
    run = queue.submit(home, recipe("quick"))
    change(home, run, state=state)
    claim = locks.take_claim(home.run_folder(run.uid))
    assert claim is not None
    with pytest.raises(WorkbenchError, match=f"it is {state}") as caught:
        queue.resume(home, run)
    os.close(claim)
    assert caught.value.hint
    assert f"#{run.id}" in caught.value.where
    assert look(home, run).state == state
    change(home, run, state="stopped")


def test_a_run_without_its_folder_is_not_resumed(home: Home, nothing_starts: None) -> None:
    run = queue.submit(home, recipe("quick"))
    change(home, run, state="stopped")
    home.run_folder(run.uid).rename(home.trash / "elsewhere")
    with pytest.raises(WorkbenchError, match="folder is gone"):
        queue.resume(home, run)


@pytest.mark.parametrize("state", ["finished", "stopped", "lost", "paused"])
def test_an_ended_run_is_not_stopped_again(home: Home, nothing_starts: None, state: str) -> None:
    run = queue.submit(home, recipe("quick"))
    change(home, run, state=state)
    with pytest.raises(WorkbenchError, match=f"it is {state}"):
        queue.stop(home, run)


def test_stopping_a_run_whose_processes_are_gone_tells_the_truth(home: Home, nothing_starts: None) -> None:
    run = queue.submit(home, recipe("quick"))
    change(home, run, state="running", attempt=1)
    with pytest.raises(WorkbenchError, match="it is lost"):
        queue.stop(home, look(home, run))


def test_a_deleted_run_is_in_the_trash(home: Home) -> None:
    run = until_state(home, queue.submit(home, recipe("quick")), "finished")
    quiet(home, run)
    queue.delete(home, run)
    with open_store(home.store) as store:
        assert runs.get(store, run.id) is None
    assert not home.run_folder(run.uid).exists()
    assert (home.trash / run.uid / "recipe.toml").exists()
    with pytest.raises(WorkbenchError, match="no such run"):
        queue.delete(home, run)


@pytest.mark.parametrize("state", ["queued", "starting", "running", "stopping"])
def test_an_open_run_is_not_deleted(home: Home, nothing_starts: None, state: str) -> None:
    run = queue.submit(home, recipe("quick"))
    change(home, run, state=state)
    with pytest.raises(WorkbenchError, match=f"it is {state}"):
        queue.delete(home, run)
    assert home.run_folder(run.uid).is_dir()
    change(home, run, state="stopped")


def test_a_run_with_a_living_process_is_not_deleted(home: Home, nothing_starts: None) -> None:
    run = queue.submit(home, recipe("quick"))
    change(home, run, state="finished")
    claim = locks.take_claim(home.run_folder(run.uid))
    assert claim is not None
    with pytest.raises(WorkbenchError, match="still ending"):
        queue.delete(home, run)
    os.close(claim)
    queue.delete(home, run)


@pytest.mark.parametrize("crash", ["before the row", "after the row"])
def test_a_crash_while_deleting_is_made_good(
    home: Home, nothing_starts: None, monkeypatch: pytest.MonkeyPatch, crash: str
) -> None:
    run = queue.submit(home, recipe("quick"))
    change(home, run, state="stopped")
    really_delete = runs.delete

    def die(*arguments: object) -> None:
        if crash == "after the row":
            really_delete(*arguments)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(runs, "delete", die)
        with pytest.raises(KeyboardInterrupt):
            queue.delete(home, run)
    queue.advance(home)
    with open_store(home.store) as store:
        assert runs.get(store, run.id) is None
    assert (home.trash / run.uid / "recipe.toml").exists()
    assert not list(home.moving.iterdir())


def test_looking_makes_no_store_and_the_first_run_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_SLOTS", "none")
    home = Home(tmp_path / "home").create()
    queue.advance(home)
    assert not home.store.exists()
    assert queue.submit(home, recipe("quick")).state == "queued"
    assert home.store.exists()


def test_a_run_whose_folder_is_gone_fails_and_the_next_one_starts(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_SLOTS", "none")
    first, second = queue.submit(home, recipe("quick")), queue.submit(home, recipe("quick"))
    home.run_folder(first.uid).rename(home.trash / "elsewhere")
    monkeypatch.setenv("WORKBENCH_SLOTS", "cpu")
    queue.advance(home)
    assert look(home, first).state == "failed"
    until_state(home, second, "finished")


def test_runs_that_never_begin_do_not_spin_for_ever(home: Home, nothing_starts: None) -> None:
    run = queue.submit(home, recipe("quick"))
    for attempt in range(1, dispatch.MAX_UNBEGUN):
        change(home, run, state="starting", attempt=attempt)
        queue.advance(home)
        assert look(home, run).state == "queued"
    change(home, run, state="starting", attempt=dispatch.MAX_UNBEGUN)
    queue.advance(home)
    assert look(home, run).state == "failed"


def test_of_a_thousand_queued_runs_only_the_next_ones_are_read(home: Home, nothing_starts: None) -> None:
    with open_store(home.store) as store, store.write() as connection:
        connection.executemany(
            """INSERT INTO run(uid, name, task, backbone, strategy, dataset, state, created, seed, recipe_hash, recipe)
                VALUES(?, 'a', 'b', 'c', 'd', 'e', 'queued', 0, 0, '', '')""",
            [(f"{number:026}",) for number in range(1000)],
        )
        found = runs.waiting(store, ("auto",), dispatch.LOOK_AHEAD)
        assert [run.id for run in found] == sorted(run.id for run in found)
        assert len(found) == dispatch.LOOK_AHEAD
        connection.execute("DELETE FROM run")


def test_a_run_is_resumed_under_the_lock_under_which_it_is_deleted(
    home: Home, nothing_starts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = queue.submit(home, recipe("quick"))
    change(home, run, state="stopped")
    held: list[bool] = []

    def look_at_the_lock(*_: object) -> None:
        with (home.root / "dispatch.lock").open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                held.append(True)

    monkeypatch.setattr(points, "unpack", look_at_the_lock)
    assert queue.resume(home, run).state == "queued"
    assert held == [True]
