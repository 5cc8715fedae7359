"""Averaged weights: what they are, by hand, and where they stand in for the others."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.making import tiny_model
from tests.training.support import recipe_of, run_of
from workbench.training.averaging import Average
from workbench.training.events import Evaluated, Saved
from workbench.training.job import build

DECAY = 0.3


def states(folder: Path, kind: str, file: str) -> list[dict[str, torch.Tensor]]:
    return [load_file(path / file) for path in sorted((folder / kind).glob("step-*"))]


def test_the_published_model_is_the_average_and_training_goes_on_with_the_weights(
    backbone: Path, rows: Path, tmp_path: Path
) -> None:
    every = {"checkpoint": {"every": 1, "keep": 100}, "evaluation": {"every": 9, "metric": "loss"}}
    found = {}
    for name, decay in (("plain", 0.0), ("averaged", DECAY)):
        (tmp_path / name).mkdir()
        training = {"epochs": 1, "learning_rate": 1e-2, "average": decay}
        made = recipe_of(backbone, rows, training=training, **every)
        start = build(made, tmp_path / name, tmp_path / "cache").model
        average = {key: each.detach().clone() for key, each in start.named_parameters()}
        found[name] = run_of(made, tmp_path / name)
    steps = states(tmp_path / "averaged", "checkpoints", "model.safetensors")
    assert len(steps) == 9
    for step, weights in enumerate(steps):
        decay = min(DECAY, (1 + step) / (10 + step))
        average = {key: decay * each + (1 - decay) * weights[key] for key, each in average.items()}
    (published,) = states(tmp_path / "averaged", "models", "model.safetensors")
    kept = states(tmp_path / "averaged", "checkpoints", "average.safetensors")[-1]
    for key, each in average.items():
        torch.testing.assert_close(published[key], each, rtol=1e-5, atol=1e-7)
        assert torch.equal(published[key], kept[key])
    plain = states(tmp_path / "plain", "checkpoints", "model.safetensors")
    assert all(torch.equal(one[key], other[key]) for one, other in zip(plain, steps, strict=True) for key in one)
    losses = [told.all(Evaluated)[-1].values["eval/loss"] for told in found.values()]
    assert losses[0] != losses[1]
    assert [event.step for event in found["averaged"].all(Saved) if event.kind == "model"] == [9]
    assert not list((tmp_path / "plain").glob("checkpoints/*/average.safetensors"))


@pytest.mark.parametrize("strategy", ["bias", {"name": "top-layers", "top": 1}])
def test_frozen_weights_have_no_average(
    backbone: Path, rows: Path, tmp_path: Path, strategy: str | dict[str, object]
) -> None:
    (tmp_path / "run").mkdir()
    training = {"epochs": 1, "average": 0.9, "learning_rate": 1e-2, "warmup": 0.0, "schedule": "constant"}
    made = recipe_of(backbone, rows, strategy=strategy, training=training, checkpoint={"every": 8})
    run_of(made, tmp_path / "run")
    start, end = states(tmp_path / "run", "checkpoints", "model.safetensors")
    changed = {name for name in end if not torch.equal(start[name], end[name])}
    assert 0 < len(changed) < len(end)
    assert set(states(tmp_path / "run", "checkpoints", "average.safetensors")[-1]) == changed


def test_weights_come_back_after_an_error() -> None:
    model = tiny_model("bert")
    average = Average(model, 0.5)
    average.follow()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1)
    before = {name: each.detach().clone() for name, each in model.named_parameters()}
    averages = {name: each.clone() for name, each in average.weights.items()}

    def fail() -> None:
        with average.published():
            assert all(torch.equal(each, averages[name]) for name, each in model.named_parameters())
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert all(torch.equal(each, before[name]) for name, each in model.named_parameters())
    assert all(torch.equal(each, averages[name]) for name, each in average.weights.items())
