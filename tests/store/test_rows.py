"""Predictions, trials, events, samples, commands and checkpoints come back as they were written."""

from __future__ import annotations

import json

import pytest

from store import checkpoints, commands, events, predictions, trials
from store.checkpoints import Checkpoint
from store.connection import Store
from tests.store.support import add_run

HOSTILE = "[CLS] [/red] \x1b]0;x\x07 \u202e ‮ 中 ☃ \ud83d"[:-1]


def predict(store: Store, run_id: int, step: int, rows: list[tuple[str, float, bool | None]]) -> None:
    with store.write() as connection:
        predictions.add_examples(connection, "set", [(n, _fields(n), "yes") for n in range(len(rows))])
        answers = [(n, pred, 0.5, loss, right, {"label": pred}) for n, (pred, loss, right) in enumerate(rows)]
        predictions.replace(connection, run_id, step, "set", answers)


def _fields(number: int) -> str:
    return json.dumps({"text": f"text {number} {HOSTILE}"})


def test_predictions_come_back_in_the_order_of_the_set(store: Store) -> None:
    run_id = add_run(store)
    predict(store, run_id, 5, [("yes", 0.1, True), ("no", 2.0, False), (HOSTILE, 1.0, None)])
    found = predictions.listing(store, run_id)
    assert [(each.idx, each.pred, each.correct, each.step) for each in found] == [
        (0, "yes", True, 5), (1, "no", False, 5), (2, HOSTILE, None, 5),
    ]  # fmt: skip
    assert found[2].output == {"label": HOSTILE}
    assert found[0].input == {"text": f"text 0 {HOSTILE}"}
    assert [each.idx for each in predictions.listing(store, run_id, by_loss=True, limit=2)] == [1, 2]
    assert [each.idx for each in predictions.listing(store, run_id, wrong=True)] == [1]
    assert predictions.correctness(store, run_id, "set") == {0: True, 1: False}


def test_new_predictions_take_the_place_of_the_earlier_ones(store: Store) -> None:
    run_id, other = add_run(store), add_run(store)
    predict(store, run_id, 1, [("a", 1.0, True), ("b", 1.0, True)])
    predict(store, other, 1, [("c", 1.0, True), ("c", 1.0, True)])
    predict(store, run_id, 2, [("d", 1.0, False)])
    assert [(each.step, each.pred) for each in predictions.listing(store, run_id)] == [(2, "d")]
    assert predictions.count(store, other) == 2


def test_a_random_example_is_one_of_the_set(store: Store) -> None:
    predict(store, add_run(store), 1, [("a", 1.0, True)])
    assert predictions.random_example(store, "set") == ({"text": f"text 0 {HOSTILE}"}, "yes")
    assert predictions.random_example(store, "no such set") is None


def test_trials_come_back_newest_first_with_their_answers(store: Store) -> None:
    one, other = add_run(store), add_run(store)
    first = trials.add(store, "sentiment", HOSTILE, {one: ({"label": HOSTILE}, 1.5), other: ({"label": "b"}, 2.5)})
    second = trials.add(store, "sentiment", "next", {})
    trials.mark(store, first, gold="b", kept=True)
    found = trials.listing(store)
    assert [trial.id for trial in found] == [second, first]
    assert (found[1].prompt, found[1].gold, found[1].kept) == (HOSTILE, "b", True)
    assert found[1].answers == {one: ({"label": HOSTILE}, 1.5), other: ({"label": "b"}, 2.5)}
    trials.mark(store, first, gold="")
    assert trials.listing(store)[1].gold is None


def test_events_come_back_in_order_and_from_where_a_reader_was(store: Store) -> None:
    run_id = add_run(store)
    with store.write() as connection:
        events.append(connection, run_id, [(float(n), n, "eval", "info", HOSTILE, {"n": n}) for n in range(4)])
        events.append(connection, run_id, [(9.0, 9, "end", "info", "over", None)])
    found = events.listing(store, run_id)
    assert [event.step for event in found] == [0, 1, 2, 3, 9]
    assert (found[1].data, found[4].data, found[0].text) == ({"n": 1}, {}, HOSTILE)
    assert [event.step for event in events.listing(store, run_id, after=found[2].id)] == [3, 9]
    assert [event.step for event in events.listing(store, run_id, limit=2)] == [3, 9]
    assert [event.step for event in events.listing(store, run_id, kind="end")] == [9]


def test_the_newest_samples_of_the_box_come_oldest_first(store: Store) -> None:
    run_id, known = add_run(store), {}
    for ts in (1.0, 2.0, 3.0):
        with store.write() as connection:
            events.append_system(connection, run_id, ts, {"cpu/util": ts * 10, "ram/used": 7.0}, known)
    assert events.last_system(store, run_id, 2) == [
        {"ts": 2.0, "cpu/util": 20.0, "ram/used": 7.0}, {"ts": 3.0, "cpu/util": 30.0, "ram/used": 7.0},
    ]  # fmt: skip


def test_a_command_waits_for_its_attempt_until_it_is_accepted(store: Store) -> None:
    run_id = add_run(store)
    old, asked = commands.ask(store, run_id, 1, "stop"), commands.ask(store, run_id, 2, "stop")
    assert [command.id for command in commands.waiting(store, run_id, 2)] == [asked]
    with store.write() as connection:
        commands.accept(connection, asked, 7)
    assert commands.waiting(store, run_id, 2) == []
    with store.write() as connection:
        commands.finish(connection, asked, 8, "stopped")
    done, unheard = commands.get(store, asked), commands.get(store, old)
    assert done is not None
    assert unheard is not None
    assert (done.accepted_step, done.done_step, done.answer) == (7, 8, "stopped")
    assert unheard.accepted_step is None


def test_what_is_said_of_a_command_first_stays(store: Store) -> None:
    run_id = add_run(store)
    done, left = commands.ask(store, run_id, 1, "checkpoint"), commands.ask(store, run_id, 1, "evaluate")
    with store.write() as connection:
        commands.finish(connection, done, 8, "saved")
        commands.finish(connection, done, 9, "saved again")
        commands.leave(connection, run_id, 1, "not done: the run finished first")
    found = [commands.get(store, number) for number in (done, left)]
    assert [(each.accepted_step, each.done_step, each.answer) for each in found if each] == [
        (8, 8, "saved"),
        (None, None, "not done: the run finished first"),
    ]


@pytest.mark.parametrize(("kept", "left"), [([2], [("model", 1), ("state", 2)]), ([], [("model", 1)])])
def test_pruned_checkpoints_are_forgotten_by_kind(store: Store, kept: list[int], left: list[tuple[str, int]]) -> None:
    run_id = add_run(store)
    with store.write() as connection:
        for kind, step in (("state", 1), ("state", 2), ("model", 1)):
            checkpoints.add(connection, Checkpoint(run_id, kind, step, f"{kind}/{step}", 10, "0"))
        checkpoints.keep(connection, run_id, "state", kept)
    assert [(each.kind, each.step) for each in checkpoints.listing(store, run_id)] == left
