"""The range test: which rate it names, when it ends, and what it leaves behind."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from tests.making import toy_rows, write_jsonl
from tests.training.support import Told, recipe_of, run_of
from workbench.recipe import Training
from workbench.training.events import Evaluated, Event, Logged, Noted, Saved
from workbench.training.loop import Control
from workbench.training.optimiser import rate_at
from workbench.training.range_test import advice, diverged_at

TRAINING = Training.model_validate({"learning_rate": 1.0, "schedule": "range-test"})
UPDATES = 100
SPAN = UPDATES // 20


def rate_words(step: int) -> str:
    return f"{rate_at(step, UPDATES, TRAINING):.1e}"


def curve(fall: int, end: int, height: float) -> list[float]:
    """Return losses that fall from 1 to 0.2 around update `fall`, and are `height` from `end` on."""
    falling = [0.2 + 0.8 / (1 + math.exp((step - fall) / 2)) for step in range(UPDATES)]
    return [*falling[:end], *[height] * (UPDATES - end)]


def test_the_rate_of_the_steepest_fall_is_named_and_the_one_of_divergence() -> None:
    losses = curve(40, 80, 9.0)
    assert diverged_at(losses, UPDATES) == 80
    assert diverged_at(losses[:80], UPDATES) is None
    told = advice(losses[:81], UPDATES, TRAINING)
    assert told == f"the loss falls steepest at a learning rate of {rate_words(40)}; it diverges at {rate_words(80)}"


def test_one_high_loss_is_no_divergence_and_one_that_is_no_number_is() -> None:
    losses = curve(40, UPDATES, 0.0)
    losses[70] = 2.0
    assert diverged_at(losses, UPDATES) is None
    losses[90] = math.nan
    assert diverged_at(losses, UPDATES) == 90
    assert advice(losses[:91], UPDATES, TRAINING).endswith(f"it diverges at {rate_words(90)}")


def test_what_cannot_be_told_is_not_told() -> None:
    assert advice([1.0] * UPDATES, UPDATES, TRAINING) == (
        f"the loss falls at no learning rate; it does not diverge up to {rate_words(UPDATES - 1)}"
    )
    assert advice([math.nan], UPDATES, TRAINING).startswith("too few updates to find a learning rate; it diverges at")
    assert advice([1.0], 1, TRAINING).startswith("too few updates")


def ranged(backbone: Path, folder: Path, top: float, watch: object = None) -> Told:
    rows = write_jsonl(folder.parent / "rows.jsonl", toy_rows(200))
    training = {"schedule": "range-test", "learning_rate": top, "epochs": 4, "dropout": 0.1}
    folder.mkdir(exist_ok=True)
    made = recipe_of(backbone, rows, training=training, evaluation={"every": 10, "patience": 1})
    return run_of(made, folder, watch) if callable(watch) else run_of(made, folder)


def test_a_real_model_is_told_a_rate_between_the_ends(backbone: Path, tmp_path: Path) -> None:
    told = ranged(backbone, tmp_path / "run", 1.0)
    (note,) = [each for each in told.all(Noted) if each.kind == "range_test"]
    assert told.events[-1] == note
    found = re.fullmatch(r"the loss falls steepest at a learning rate of (\S+); it diverges at (\S+)", note.text)
    assert found is not None
    best, limit = map(float, found.groups())
    assert 1e-3 < best < limit <= 1.0
    logged = told.all(Logged)
    assert logged[-1].step == note.step < 92
    assert logged[0].values["train/rate"] == pytest.approx(1e-3)
    assert f"{logged[-1].values['train/rate']:.1e}" == found[2]
    # Nothing is judged, and nothing is published that could be taken for a result.
    assert told.all(Evaluated) == []
    assert [event for event in told.all(Saved) if event.kind == "model"] == []


def test_a_range_test_that_was_stopped_goes_on_and_says_the_same(backbone: Path, tmp_path: Path) -> None:
    def stop(event: Event, control: Control) -> None:
        if isinstance(event, Logged) and event.step == 30:
            control.stop.set()

    straight = ranged(backbone, tmp_path / "straight", 1e-2)
    first = ranged(backbone, tmp_path / "broken", 1e-2, stop)
    assert first.all(Noted)[-1].kind == "stop"
    assert first.all(Evaluated) == []
    assert ranged(backbone, tmp_path / "broken", 1e-2).events[-1] == straight.events[-1]
