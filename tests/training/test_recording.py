"""What a resumed run says of the updates that it did again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from store import events, points, runs
from store.connection import Store, open_store, prepare
from tests.store.support import add_run
from workbench.training.events import Evaluated, Logged, Saved, Saving, Staged, Started
from workbench.training.journal import Entry
from workbench.training.recording import Recorder

EXACT = "the updates done again give the logged numbers, to the last bit (2 compared)"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    prepare(tmp_path / "workbench.db")
    with open_store(tmp_path / "workbench.db") as store:
        yield store


def logged(number: int, step: int, loss: float) -> Entry:
    return Entry(number, float(number), Logged(step, step / 10, float(step), {"train/loss": loss}))


def evaluated(number: int, step: int, loss: float) -> Entry:
    return Entry(number, float(number), Evaluated(step, "set", {"eval/loss": loss}, False))


def saved(number: int, step: int) -> Entry:
    return Entry(number, float(number), Saved(step, "state", f"checkpoints/{step}", 1, "0", [step]))


def write(store: Store, recorder: Recorder, *entries: Entry) -> None:
    with store.write() as connection:
        recorder.write(connection, entries)


def said(store: Store, run_id: int) -> list[str]:
    return [event.text for event in events.listing(store, run_id)]


@pytest.fixture
def killed(store: Store) -> Recorder:
    """Return the recorder of a second attempt: step 1 is in the store, step 2 in the journal alone."""
    run_id = add_run(store)
    write(store, Recorder(run_id, "eval/accuracy"), logged(1, 1, 0.5))
    return Recorder(run_id, "eval/accuracy", replay_until=2, inherited=2)


def test_what_the_journal_brings_is_not_called_done_again(store: Store, killed: Recorder) -> None:
    write(store, killed, logged(2, 2, 0.25))
    assert said(store, killed.run_id) == []


@pytest.mark.parametrize("together", [True, False])
def test_updates_done_again_are_compared_with_the_store_and_the_journal(
    store: Store, killed: Recorder, together: bool
) -> None:
    entries = [logged(2, 2, 0.25), logged(3, 1, 0.5), logged(4, 2, 0.25), logged(5, 3, 0.1)]
    for batch in [entries] if together else [[entry] for entry in entries]:
        write(store, killed, *batch)
    assert said(store, killed.run_id) == [EXACT]


def test_an_update_that_differs_is_said(store: Store, killed: Recorder) -> None:
    write(store, killed, logged(2, 2, 0.25), logged(3, 1, 0.5), logged(4, 2, 0.26), logged(5, 3, 0.1))
    (told,) = events.listing(store, killed.run_id)
    assert told.text == "the updates done again differ from the log from step 2 on: this resume is not exact"
    assert (told.kind, told.level, told.data) == ("resume", "warning", {"compared": 2})


@pytest.mark.parametrize("value", [0.75, 0.76])
def test_an_evaluation_done_again_is_compared_before_the_judgement(store: Store, value: float) -> None:
    """Let the killed attempt have evaluated after its last update, and the next one do both again and end there."""
    run_id = add_run(store)
    write(store, Recorder(run_id, "eval/accuracy"), logged(1, 1, 0.5), logged(2, 2, 0.25), evaluated(3, 2, 0.75))
    again = Recorder(run_id, "eval/accuracy", replay_until=2, inherited=3)
    for entry in (logged(4, 2, 0.25), Entry(4, 4.0, Saving(2)), evaluated(5, 2, value), saved(6, 2), saved(7, 2)):
        write(store, again, entry)
    (told,) = events.listing(store, run_id, kind="resume")
    assert told.text.endswith("(2 compared)" if value == 0.75 else "from step 2 on: this resume is not exact")


def started(number: int, **conditions: Any) -> Entry:
    return Entry(number, 1.0, Started(4, 10, 100, "cpu", "set", [], {"torch": "2", "threads": 1} | conditions))


def test_other_conditions_than_before_are_told(store: Store) -> None:
    run_id = add_run(store)
    for conditions in ({}, {}, {"threads": 2, "device": "cpu AVX2"}):
        write(store, Recorder(run_id, "eval/accuracy", inherited=1), started(1, **conditions))
    (told,) = events.listing(store, run_id, kind="resume")
    assert (told.text, told.level) == ("resume: not exact (threads 1→2)", "warning")


def fail_after(recorder: Recorder, connection: sqlite3.Connection, batch: list[Entry]) -> None:
    recorder.write(connection, batch)
    connection.execute("UPDATE no_such_table SET step=9")


def test_a_batch_that_is_written_again_counts_once(store: Store, killed: Recorder) -> None:
    batch = [logged(2, 2, 0.25), logged(3, 1, 0.5), logged(4, 2, 0.25), logged(5, 3, 0.1)]
    with pytest.raises(sqlite3.OperationalError), store.write() as connection:
        fail_after(killed, connection, batch)
    killed.metrics.clear()
    write(store, killed, *batch)
    assert said(store, killed.run_id) == [EXACT]


def test_an_evaluation_is_told_in_all_and_of_each_set(store: Store) -> None:
    recorder = Recorder(add_run(store), "eval/accuracy")
    values = {"eval/loss": 0.5, "eval/accuracy": 0.75, "eval@a/b/loss": 0.4, "eval@a/b/accuracy": 0.5}
    values |= {"eval@films/loss": 0.6, "eval@films/accuracy": 1.0}
    write(store, recorder, Entry(1, 1.0, Evaluated(4, "set", values, False)))
    assert said(store, recorder.run_id) == [
        "loss 0.500  accuracy 0.750",
        "accuracy of each set: a/b 0.500  films 1.000",
    ]
    assert set(points.summaries(store, [recorder.run_id])[recorder.run_id]) == set(values)


def test_the_most_weights_that_learned_at_a_time_are_kept(store: Store) -> None:
    run_id = add_run(store)
    groups = [{"name": "head", "trainable": True, "rate": 1e-3, "size": 10, "learning": 10}]
    stages = [Entry(number, 1.0, Staged(number, groups, learning)) for number, learning in enumerate([4, 10, 2], 1)]
    write(store, Recorder(run_id, "eval/accuracy"), *stages)
    run = runs.get(store, run_id)
    assert run is not None
    assert run.trainable == 10
