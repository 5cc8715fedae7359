"""A run that ran out of memory starts again in smaller batches: when asked, or by itself; never unsaid."""

from __future__ import annotations

import pytest

from store import events, runs
from store.connection import open_store
from store.runs import Run
from tests.workbench.supervision.support import change, look, recipe, until, until_state
from workbench.errors import WorkbenchError
from workbench.paths import Home
from workbench.recipe import loads
from workbench.supervision import queue, retrying


def said(home: Home, run: Run) -> list[str]:
    with open_store(home.store) as store:
        return [event.text for event in events.listing(store, run.id, kind="retry")]


def batches(run: Run) -> tuple[int, int]:
    training = loads(run.recipe).training
    return training.batch_size, training.accumulation


def test_it_is_started_again_and_both_runs_say_so(home: Home) -> None:
    wish = recipe("hungry", training={"batch_size": 6, "accumulation": 3})
    run = until_state(home, queue.submit(home, wish, grp="seeds"), "failed")
    assert run.reason == "gpu_oom"
    again = retrying.retry(home, run)
    assert (batches(again), again.parent_id, again.grp) == ((3, 6), run.id, "seeds")
    changes = "training.batch_size 6 → 3, training.accumulation 3 → 6"
    assert said(home, run) == [f"run #{again.id} {again.name} starts it again with {changes}"]
    assert said(home, again) == [f"starts run #{run.id} hungry again with {changes}"]
    assert set(loads(run.recipe).diff(loads(again.recipe))) == {"training.batch_size", "training.accumulation"}


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"state": "failed", "reason": "data"}, "it did not run out of memory: it is failed"),
        ({"state": "finished"}, "it did not run out of memory: it is finished"),
        ({"state": "failed", "reason": "gpu_oom"}, "its batch is 1 already"),
        ({"state": "crashed", "reason": "host_oom", "error": "out of memory in an evaluation"}, "takes as many rows"),
    ],
)
def test_what_smaller_batches_do_not_help_is_refused_with_a_next_step(
    home: Home, monkeypatch: pytest.MonkeyPatch, columns: dict[str, str], words: str
) -> None:
    monkeypatch.setenv("WORKBENCH_SLOTS", "none")
    batch = 1 if "already" in words else 2
    run = queue.submit(home, recipe("quick", training={"batch_size": batch}))
    change(home, run, **columns)
    with pytest.raises(WorkbenchError, match=words) as caught:
        retrying.retry(home, look(home, run))
    assert caught.value.hint


def test_it_starts_again_by_itself_until_the_batch_is_one(home: Home) -> None:
    wish = recipe("hungry", training={"batch_size": 4}, hardware={"retry_oom": True})
    queue.submit(home, wish)
    following = queue.submit(home, recipe("quick"))
    with open_store(home.store) as store:
        until(lambda: len(runs.listing(store)) == 4 and not runs.listing(store, states=runs.OPEN))
        first, after, second, third = reversed(runs.listing(store))
    assert [batches(run) for run in (first, second, third)] == [(4, 1), (2, 2), (1, 4)]
    assert [run.state for run in (first, second, third)] == ["failed"] * 3
    assert (second.parent_id, third.parent_id) == (first.id, second.id)
    assert (after.id, after.state) == (following.id, "finished")
    until(lambda: said(home, third)[1:])
    assert said(home, third)[1].startswith("not started again: error: ")
    assert "its batch is 1 already" in said(home, third)[1]


def test_it_does_not_unless_its_recipe_says_so(home: Home) -> None:
    run = until_state(home, queue.submit(home, recipe("hungry")), "failed")
    until_state(home, queue.submit(home, recipe("quick")), "finished")
    with open_store(home.store) as store:
        assert len(runs.listing(store)) == 2
    assert said(home, run) == []


def test_what_waits_for_its_model_waits_for_that_of_the_new_run(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_SLOTS", "none")
    first = queue.submit(home, recipe("first", training={"batch_size": 8}))
    strategy = {"name": "pretrain-first", "texts": "starter:stories", "then": "full", "pretrained": first.uid}
    waits = queue.submit(home, recipe("waits", backbone=f"run:{first.uid}", strategy=strategy), grp="seeds")
    begins = queue.submit(home, recipe("begins", backbone=f"run:{waits.id}"))
    change(home, first, state="failed", reason="gpu_oom")
    again = retrying.retry(home, look(home, first))
    assert {look(home, run).state for run in (waits, begins)} == {"failed"}
    with open_store(home.store) as store:
        found = {run.name: run for run in runs.listing(store, states=("queued",))}
    assert {name: run.parent_id for name, run in found.items()} == {
        "first-2": first.id,
        "waits-2": again.id,
        "begins-2": found["waits-2"].id,
    }
    assert found["waits-2"].grp == "seeds"
    assert all(run.waits for name, run in found.items() if name != "first-2")
    assert loads(found["waits-2"].recipe).strategy.pretrained == again.uid
    assert len(said(home, waits)) == len(said(home, found["waits-2"])) == 1
