"""What the loop is asked between two updates: done there, said with the update, and without a trace in the run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.making import toy_rows, write_jsonl
from tests.training.support import Told, recipe_of, run_of
from workbench.training.control import VERBS, Control
from workbench.training.events import Evaluated, Event, Logged, Noted, Saved, Started
from workbench.training.loop import train


def asked(backbone: Path, folder: Path, *asks: tuple[int, str], **tables: object) -> Told:
    """Return a run of eighteen updates that is asked for something after some of them; after 0 is before it begins."""
    folder.mkdir(exist_ok=True)
    rows = write_jsonl(folder.parent / "rows.jsonl", toy_rows(40))
    made = recipe_of(backbone, rows, **{"evaluation": {"every": 10}, "training": {"batch_size": 6}, **tables})

    def ask(event: Event, control: Control) -> None:
        for step, verb in asks:
            if isinstance(event, Logged if step else Started) and event.step == step:
                control.ask(verb)

    return run_of(made, folder, ask)


def said(told: Told) -> list[tuple[str, int]]:
    return [(note.kind, note.step) for note in told.all(Noted) if note.kind in VERBS]


def test_an_evaluation_out_of_turn_is_never_best_and_publishes_nothing(backbone: Path, tmp_path: Path) -> None:
    told = asked(backbone, tmp_path / "run", (4, "evaluate"))
    assert said(told) == [("evaluate", 4)]
    assert [(event.step, event.best, bool(event.answers)) for event in told.all(Evaluated)][:2] == [
        (4, False, False),
        (10, True, True),
    ]
    assert min(event.step for event in told.all(Saved) if event.kind == "model") == 10
    plain = asked(backbone, tmp_path / "plain")
    assert [event for event in told.all(Evaluated) if event.step != 4] == plain.all(Evaluated)


def test_a_checkpoint_is_saved_and_the_run_goes_on(backbone: Path, tmp_path: Path) -> None:
    told = asked(backbone, tmp_path / "run", (4, "checkpoint"), (5, "checkpoint"))
    assert said(told) == [("checkpoint", 4), ("checkpoint", 5)]
    assert [event.step for event in told.all(Saved) if event.kind == "state"] == [4, 5, 10, 18]
    assert told.all(Noted)[-1].text == "saved a checkpoint after update 5 of 18, as asked"


def test_what_is_asked_before_the_first_update_waits_for_it(backbone: Path, tmp_path: Path) -> None:
    told = asked(backbone, tmp_path / "run", (0, "checkpoint"), (0, "evaluate"))
    assert said(told) == [("checkpoint", 1), ("evaluate", 1)]


@pytest.mark.parametrize("verb", ["stop", "pause"])
def test_a_run_that_is_to_end_before_it_begins_does_no_update(backbone: Path, tmp_path: Path, verb: str) -> None:
    told = asked(backbone, tmp_path / "run", (0, verb))
    assert (said(told), told.all(Logged), told.all(Saved)) == ([(verb, 0)], [], [])
    assert len(asked(backbone, tmp_path / "run").all(Logged)) == 18


def test_a_pause_saves_what_is_needed_to_go_on_and_no_more(backbone: Path, tmp_path: Path) -> None:
    told = asked(backbone, tmp_path / "run", (4, "pause"))
    assert said(told) == [("pause", 4)]
    assert (told.all(Evaluated), [event.kind for event in told.all(Saved)]) == ([], ["state"])
    assert asked(backbone, tmp_path / "run").all(Logged)[0].step == 5


def test_a_stop_goes_before_a_pause(backbone: Path, tmp_path: Path) -> None:
    assert said(asked(backbone, tmp_path / "run", (4, "pause"), (4, "stop"))) == [("stop", 4)]


def test_a_range_test_says_that_it_evaluates_nothing(backbone: Path, tmp_path: Path) -> None:
    told = asked(backbone, tmp_path / "run", (2, "evaluate"), training={"schedule": "range-test", "batch_size": 6})
    assert told.all(Evaluated) == []
    (note,) = [note for note in told.all(Noted) if note.kind == "evaluate"]
    assert note.text.endswith("as asked: a range test evaluates nothing")


def test_the_step_that_is_told_to_who_asks_is_the_last_update_done(backbone: Path, tmp_path: Path) -> None:
    rows, control, steps = write_jsonl(tmp_path / "rows.jsonl", toy_rows(40)), Control(), []
    (tmp_path / "run").mkdir()
    for event in train(recipe_of(backbone, rows), tmp_path / "run", tmp_path / "cache", control):
        if isinstance(event, Logged):
            steps.append((event.step, control.step))
    assert all(0 <= step - told <= 1 for step, told in steps)
