"""A run that begins with the model of an open run waits for it, without a slot, and learns what becomes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from store import events, runs
from store.connection import open_store
from store.runs import Run
from tests.commands.support import call
from tests.making import tiny_backbone
from tests.workbench.supervision.support import change, look, recipe, until, until_state
from workbench.data.report import inspect
from workbench.paths import Home
from workbench.supervision import dispatch, locks, queue
from workbench.training.publish import publish, step_folder, verify


def publish_model(home: Home, run: Run, step: int = 7) -> None:
    """Publish a model of a run, as its worker does."""
    folder = step_folder(home.run_folder(run.uid) / "models", step)
    publish(folder, lambda folder: tiny_backbone(folder) and None, read_only=True)


def child_of(home: Home, parent: Run, name: str = "quick", **tables: object) -> Run:
    return queue.submit(home, recipe(name, backbone=f"run:{parent.id}", **tables))


@pytest.fixture
def nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_SLOTS", "none")


def test_a_child_starts_when_its_parent_is_done_and_others_pass_it_meanwhile(home: Home) -> None:
    parent = until_state(home, queue.submit(home, recipe("wait")), "running")
    child = child_of(home, parent)
    other = queue.submit(home, recipe("quick-other"))
    assert (child.state, child.waits, child.parent_id) == ("queued", True, parent.id)
    publish_model(home, parent)
    queue.stop(home, parent)
    until_state(home, other, "finished")
    ended = until_state(home, child, "finished")
    until(lambda: not locks.alive(home.run_folder(child.uid)))
    kept = home.run_folder(child.uid) / "backbone"
    assert verify(kept)
    assert ended.started is not None
    assert ended.started >= (look(home, parent).ended or 0)
    with open_store(home.store) as store:
        assert events.listing(store, child.id)[0].text == f"begins with the best model of run #{parent.id} wait"
    assert not (home.root / "VIOLATION").exists()


HELPED = [
    ("strategy.teacher", {"strategy": {"name": "distil", "teacher": "run:wait"}}),
    ("augment.masked_model", {"augment": {"masked": 0.5, "masked_model": "run:wait"}}),
]


@pytest.mark.parametrize(("setting", "tables"), HELPED)
def test_a_run_waits_for_its_teacher_and_for_who_writes_too(home: Home, setting: str, tables: dict[str, Any]) -> None:
    giver = until_state(home, queue.submit(home, recipe("wait")), "running")
    run = queue.submit(home, recipe("quick", **tables))
    assert (run.state, run.waits, run.parent_id) == ("queued", True, None)
    publish_model(home, giver)
    queue.stop(home, giver)
    until_state(home, run, "finished")
    assert verify(home.run_folder(run.uid) / setting.rpartition(".")[2])
    with open_store(home.store) as store:
        words = events.listing(store, run.id)[0].text
    assert words == f"{setting} is the best model of run #{giver.id} wait"


def test_a_run_with_two_givers_waits_for_both(home: Home, nothing_starts: None) -> None:
    both = {"masked": 0.5, "masked_model": "run:wait-b"}
    first, second = (queue.submit(home, recipe(f"wait-{name}")) for name in "ab")
    run = queue.submit(home, recipe("quick", backbone="run:wait-a", augment=both))
    publish_model(home, first)
    change(home, first, state="finished")
    queue.advance(home)
    assert look(home, run).waits
    change(home, second, state="failed", error="killed")
    queue.advance(home)
    ended = look(home, run)
    assert (ended.state, ended.reason) == ("failed", "backbone")
    assert ended.error == f"its augment.masked_model, run #{second.id} wait-b, failed: killed"


def test_any_number_of_waiting_runs_blocks_no_other(home: Home) -> None:
    parent = until_state(home, queue.submit(home, recipe("wait")), "running")
    children = [child_of(home, parent) for _ in range(dispatch.LOOK_AHEAD + 1)]
    other = queue.submit(home, recipe("quick-other"))
    with open_store(home.store) as store:
        assert [run.id for run in runs.waiting(store, ("auto",), dispatch.LOOK_AHEAD)] == [other.id]
    for child in children:
        queue.stop(home, child)
    queue.stop(home, parent)
    until_state(home, other, "finished")


@pytest.mark.parametrize("state", ["failed", "crashed", "lost"])
def test_what_waits_for_a_run_that_fails_fails_at_once_with_its_reason(
    home: Home, nothing_starts: None, state: str
) -> None:
    parent = queue.submit(home, recipe("stories"))
    child = child_of(home, parent)
    grandchild = child_of(home, child, "grandchild")
    publish_model(home, parent)
    change(home, parent, state=state, error="no more memory", ended=1.0)
    queue.advance(home)
    child, grandchild = look(home, child), look(home, grandchild)
    assert (child.state, child.reason) == ("failed", "backbone")
    assert child.error == f"its backbone, run #{parent.id} stories, {state}: no more memory"
    assert grandchild.error == f"its backbone, run #{child.id} quick, failed: {child.error}"


def test_a_stopped_parent_is_used_where_it_has_a_model(home: Home, nothing_starts: None) -> None:
    for with_model in (True, False):
        parent = queue.submit(home, recipe("stories"))
        child = child_of(home, parent)
        if with_model:
            publish_model(home, parent)
        queue.stop(home, parent)
        queue.advance(home)
        found = look(home, child)
        assert (found.state, found.waits) == ("queued" if with_model else "failed", False)
        assert (
            with_model or found.error == f"its backbone, run #{parent.id} stories-2, was stopped before its first model"
        )


def test_a_paused_parent_is_waited_for(home: Home, nothing_starts: None) -> None:
    parent = queue.submit(home, recipe("stories"))
    child = child_of(home, parent)
    publish_model(home, parent)
    change(home, parent, state="paused")
    queue.advance(home)
    assert look(home, child).waits


def test_a_model_is_handed_over_before_its_run_is_deleted(home: Home, nothing_starts: None) -> None:
    parent = queue.submit(home, recipe("stories"))
    child = child_of(home, parent)
    publish_model(home, parent)
    change(home, parent, state="finished")
    queue.delete(home, parent)
    assert not look(home, child).waits
    assert verify(home.run_folder(child.uid) / "backbone")


def test_without_its_parent_a_waiting_run_fails(home: Home, nothing_starts: None) -> None:
    parent = queue.submit(home, recipe("stories"))
    child = child_of(home, parent)
    with open_store(home.store) as store, store.write() as connection:
        connection.execute("UPDATE run SET parent_id=NULL WHERE id=?", (child.id,))
        connection.execute("DELETE FROM run WHERE id=?", (parent.id,))
    queue.advance(home)
    assert look(home, child).error == "the run of its backbone was deleted"


def test_a_damaged_model_is_not_begun_with(home: Home, nothing_starts: None) -> None:
    parent = queue.submit(home, recipe("stories"))
    child = child_of(home, parent)
    publish_model(home, parent)
    config = step_folder(home.run_folder(parent.uid) / "models", 7) / "config.json"
    config.chmod(0o600)
    config.write_text("{}")
    change(home, parent, state="finished")
    queue.advance(home)
    assert "its model is damaged" in (look(home, child).error or "")
    assert not list(home.run_folder(child.uid).glob("*backbone"))


def test_resumed_after_its_parent_a_run_waits_again_and_what_it_was_given_it_keeps(
    home: Home, nothing_starts: None
) -> None:
    parent = queue.submit(home, recipe("stories"))
    child = child_of(home, parent)
    change(home, parent, state="failed", error="no more memory")
    queue.advance(home)
    queue.resume(home, parent)
    assert queue.resume(home, child).waits
    publish_model(home, parent)
    queue.stop(home, parent)
    queue.advance(home)
    queue.stop(home, child)
    queue.resume(home, parent)
    resumed = queue.resume(home, child)
    assert (resumed.state, resumed.waits) == ("queued", False)


def test_a_link_that_was_half_made_is_made_again(home: Home, nothing_starts: None) -> None:
    parent = queue.submit(home, recipe("stories"))
    child = child_of(home, parent)
    publish_model(home, parent)
    half = home.run_folder(child.uid) / ".backbone"
    half.mkdir()
    (half / "config.json").write_text("{}")
    change(home, parent, state="finished")
    queue.advance(home)
    assert verify(home.run_folder(child.uid) / "backbone")
    assert not half.exists()


def test_a_report_of_what_will_wait_reads_what_its_parent_begins_with(
    home: Home, nothing_starts: None, tmp_path: Path
) -> None:
    model = tiny_backbone(tmp_path / "model")
    parent = queue.submit(
        home, recipe("stories", task="masked-pretraining", data="starter:stories", backbone=str(model))
    )
    middle = child_of(home, parent, "middle", task="masked-pretraining", data="starter:stories")
    assert inspect(recipe("child", backbone=f"run:{middle.id}"), home.cache).parameters is not None


def test_every_face_says_what_a_run_waits_for(home: Home, nothing_starts: None) -> None:
    parent = queue.submit(home, recipe("stories"))
    child = child_of(home, parent)
    words = f"waits for #{parent.id}"
    for command in (["ls"], ["log", child.id], ["show", child.id]):
        assert words in call(*command, home=home.root).stdout
    listed = json.loads(call("ls", "--json", home=home.root).stdout)
    assert (listed[0]["state"], listed[0]["reason"]) == ("queued", "backbone")
