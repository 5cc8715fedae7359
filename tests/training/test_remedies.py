"""Every remedy at once: a run that is stopped goes on to the bit."""

from __future__ import annotations

from pathlib import Path

from tests.making import toy_rows, write_jsonl
from tests.training.support import recipe_of, run_of
from workbench.training.events import Evaluated, Event, Logged, Noted
from workbench.training.loop import Control

REMEDIES = {
    "rdrop": 1.0,
    "mixup": 0.4,
    "noise": 5.0,
    "average": 0.9,
    "class_weights": "balanced",
    "activation_checkpointing": True,
    "label_smoothing": 0.1,
    "schedule": "wsd",
    "accumulation": 2,
}
FILES = ("model.safetensors", "optimiser.safetensors", "random.safetensors", "average.safetensors")


def test_a_stopped_run_with_every_remedy_goes_on_as_if_it_had_not_been(backbone: Path, tmp_path: Path) -> None:
    rows = write_jsonl(tmp_path / "rows.jsonl", toy_rows(80))
    training = {"epochs": 3, "dropout": 0.2, "batch_size": 4, **REMEDIES}
    strategy = {"name": "gradual", "unfrozen_by": 0.5}
    made = recipe_of(backbone, rows, strategy=strategy, training=training, evaluation={"every": 6})

    def stop(event: Event, control: Control) -> None:
        if isinstance(event, Logged) and event.step == 13:
            control.stop.set()

    for name in ("straight", "broken"):
        (tmp_path / name).mkdir()
    straight = run_of(made, tmp_path / "straight")
    first = run_of(made, tmp_path / "broken", stop)
    second = run_of(made, tmp_path / "broken")
    assert [note.text for note in second.all(Noted) if note.kind == "resume"] == ["resumed after update 13 of 27"]

    def numbers(*runs: object) -> list[tuple[int, dict[str, float]]]:
        events = [event for told in runs for event in told.events if isinstance(event, Logged | Evaluated)]
        return [(e.step, {k: v for k, v in e.values.items() if k != "train/examples_per_second"}) for e in events]

    assert numbers(first, second) == numbers(straight)
    for file in FILES:
        last = f"checkpoints/step-00000027/{file}"
        assert (tmp_path / "straight" / last).read_bytes() == (tmp_path / "broken" / last).read_bytes()
