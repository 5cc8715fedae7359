"""Runs: found by what people type, changed only by who is first, deleted with all that is theirs."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from store import checkpoints, commands, events, points, predictions, runs, trials
from store.checkpoints import Checkpoint
from store.connection import Store, open_store
from tests.store.support import add_run, get


def test_a_run_is_found_by_number_uid_and_newest_name(store: Store) -> None:
    first, second = add_run(store, "twin", uid="AAA"), add_run(store, "twin", uid="BBB")
    found = {text: runs.find(store, text) for text in (str(first), f"#{second}", "AAA", "twin", "nobody", "999")}
    assert {text: run and run.id for text, run in found.items()} == {
        "1": first, "#2": second, "AAA": first, "twin": second, "nobody": None, "999": None,
    }  # fmt: skip


def test_a_uid_goes_before_a_newer_name(store: Store) -> None:
    first = add_run(store, "x", uid="AAA")
    add_run(store, "AAA", uid="BBB")
    found = runs.find(store, "AAA")
    assert found is not None
    assert found.id == first


@pytest.mark.parametrize("reference", ["", "#", "٣", "9" * 40, "'; DROP TABLE run; --", "%", "\x00"])
def test_a_strange_reference_finds_nothing(store: Store, reference: str) -> None:
    add_run(store)
    assert runs.find(store, reference) is None


def test_a_move_needs_the_state_and_the_attempt(store: Store) -> None:
    run_id = add_run(store, attempt=2)
    assert not runs.move(store, run_id, "finished", since=("running",))
    assert not runs.move(store, run_id, "finished", since=("queued",), attempt=1, error="late")
    assert (get(store, run_id).state, get(store, run_id).error) == ("queued", None)
    assert runs.move(store, run_id, "finished", since=("running", "queued"), attempt=2, reason="user")
    assert (get(store, run_id).state, get(store, run_id).reason) == ("finished", "user")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=some.permutations(range(7)), again=some.permutations(range(7)))
def test_any_order_is_kept_and_who_comes_later_is_last(store: Store, order: list[int], again: list[int]) -> None:
    with store.write() as connection:
        connection.execute("DELETE FROM run")
    numbers = [add_run(store) for _ in order]
    for wanted in ([numbers[place] for place in order], [numbers[place] for place in again]):
        runs.put_in_order(store, wanted)
        assert [run.id for run in runs.queued(store)] == wanted
        assert [run.id for run in runs.waiting(store, ("auto",), 99)] == wanted
    later = add_run(store)
    assert [run.id for run in runs.queued(store)] == [*wanted, later]


def test_only_what_still_waits_is_put_in_order(store: Store) -> None:
    first, second, third = (add_run(store) for _ in range(3))
    assert runs.move(store, second, "stopped", since=("queued",))
    runs.put_in_order(store, [third, second, first])
    assert [run.id for run in runs.queued(store)] == [third, first]
    assert get(store, second).priority == 0


def test_of_eight_who_move_a_run_at_once_one_is_first(store: Store, path: Path) -> None:
    run_id, won, together = add_run(store), [], threading.Barrier(8)

    def move(number: int) -> None:
        with open_store(path) as mine:
            together.wait()
            if runs.move(mine, run_id, "stopped", since=("queued",), note=str(number)):
                won.append(str(number))

    movers = [threading.Thread(target=move, args=(number,)) for number in range(8)]
    for mover in movers:
        mover.start()
    for mover in movers:
        mover.join()
    assert [get(store, run_id).note] == won


def test_a_start_forgets_how_the_attempt_before_ended(store: Store) -> None:
    run_id = add_run(store, reason="signal", error="killed", exit_code=137, ended=5.0, started=1.0)
    assert runs.start(store, run_id, 2, "cpu")
    assert not runs.start(store, run_id, 3, "cpu")
    run = get(store, run_id)
    assert (run.state, run.attempt, run.slot, run.started) == ("starting", 2, "cpu", 1.0)
    assert (run.reason, run.error, run.exit_code, run.ended) == (None, None, None, None)


def test_the_next_run_has_priority_then_age_and_fits_the_device(store: Store) -> None:
    old, urgent = add_run(store), add_run(store, priority=1)
    add_run(store, state="running")
    assert [run.id for run in runs.waiting(store, ("auto", "cpu"), 5)] == [urgent, old]
    assert runs.waiting(store, ("gpu",), 5) == []


def test_a_listing_is_newest_first_and_hides_what_is_archived(store: Store) -> None:
    ids = [add_run(store, state=state) for state in ("finished", "running", "failed")]
    add_run(store, archived=1)
    assert [run.id for run in runs.listing(store)] == ids[::-1]
    assert [run.id for run in runs.listing(store, states=("failed", "running"))] == [ids[2], ids[1]]
    assert [run.id for run in runs.listing(store, limit=1)] == [ids[2]]


def test_names_like_takes_the_stem_literally(store: Store) -> None:
    for name in ("a_b", "a_b-2", "axb", "A_B"):
        add_run(store, name)
    assert runs.names_like(store, "a_b") == {"a_b", "a_b-2"}


def fill(store: Store, run_id: int, parent: int) -> None:
    """Give a run a row in every table that knows runs."""
    with store.write() as connection:
        points.append(connection, run_id, [("eval/loss", 1, 0.0, 1.0)], {})
        events.append(connection, run_id, [(0.0, 1, "start", "info", "x", None)])
        events.append_system(connection, run_id, 0.0, {"cpu/util": 3.0}, {})
        checkpoints.add(connection, Checkpoint(run_id, "state", 1, "x", 1, "0"))
        predictions.add_examples(connection, "set", [(0, "text", "gold")])
        predictions.replace(connection, run_id, 1, "set", [(0, "a", 1.0, 0.1, True, {})])
        connection.execute("INSERT INTO tag VALUES(?, 'kept')", (run_id,))
    commands.ask(store, run_id, 1, "stop")
    trials.add(store, "sentiment", "prompt", {run_id: ({}, 1.0), parent: ({}, 1.0)})
    points.pack(store, run_id)


def test_deleting_takes_every_row_of_the_run_and_none_of_others(store: Store) -> None:
    kept = add_run(store, state="finished")
    gone = add_run(store, state="finished")
    child = add_run(store, parent_id=gone)
    fill(store, kept, kept)
    fill(store, gone, kept)
    tables = [row[0] for row in store.query("SELECT name FROM sqlite_master WHERE type='table'")]
    owned = [name for name in tables if any(row[1] == "run_id" for row in store.query(f"PRAGMA table_info({name})"))]
    rows = {name: store.query(f"SELECT count(*) FROM {name} WHERE run_id=?", (kept,))[0][0] for name in owned}
    assert len(owned) >= 10
    assert all(rows.values())
    assert runs.delete(store, gone)
    for name in owned:
        assert store.query(f"SELECT count(*) FROM {name} WHERE run_id=?", (gone,))[0][0] == 0
        assert store.query(f"SELECT count(*) FROM {name} WHERE run_id=?", (kept,))[0][0] == rows[name]
    assert get(store, child).parent_id is None
    assert runs.get(store, gone) is None


@pytest.mark.parametrize("state", runs.OPEN)
def test_an_open_run_is_not_deleted(store: Store, state: str) -> None:
    run_id = add_run(store, state=state)
    assert not runs.delete(store, run_id)
    assert get(store, run_id).state == state


def test_the_flattened_recipe_keeps_each_value_and_its_kind(store: Store) -> None:
    values = {"a": 1, "b": 0.5, "c": "x", "d": None, "e": True}
    run_id = runs.create(store, values, **_columns())
    assert {path: texts[run_id] for path, texts in runs.config(store, [run_id]).items()} == {
        "a": "1", "b": "0.5", "c": "x", "d": "null", "e": "true",
    }  # fmt: skip


def _columns() -> dict[str, object]:
    words = dict.fromkeys(("uid", "name", "task", "backbone", "strategy", "dataset", "recipe", "recipe_hash"), "x")
    return {**words, "state": "queued", "seed": 1}
