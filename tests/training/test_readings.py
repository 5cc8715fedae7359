"""Head only: the frozen layers read a row once, and the head learns as if they read it each time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.making import ARCHITECTURES, tiny_backbone, toy_rows, write_jsonl
from tests.training.support import recipe_of, run_of
from workbench.training import readings
from workbench.training.checkpoints import Progress
from workbench.training.events import Logged, Noted
from workbench.training.job import Job, build
from workbench.training.loop import set_learning
from workbench.training.objective import batch_loss

CLASSIFIERS = [kind for kind in ARCHITECTURES if kind != "marian"]


def job_of(tmp_path: Path, kind: str, task: str = "sentiment", **tables: Any) -> Job:
    rows = write_jsonl(tmp_path / "rows.jsonl", toy_rows(40))
    recipe = recipe_of(tiny_backbone(tmp_path / kind, kind), rows, strategy="head", task=task, **tables)
    (tmp_path / "run").mkdir()
    job = build(recipe, tmp_path / "run", tmp_path / "cache")
    set_learning(job, job.strategy.trainable(job.groups, job.moment(Progress())), Progress())
    return job


def loss_and_gradients(job: Job, numbers: list[int]) -> tuple[float, dict[str, torch.Tensor]]:
    loss = batch_loss(job, [job.train[number] for number in numbers], numbers)
    loss.backward()
    found = {name: each.grad.clone() for name, each in job.model.named_parameters() if each.grad is not None}
    job.model.zero_grad(set_to_none=True)
    return loss.item(), found


@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_the_head_learns_the_same_from_what_was_read_once(kind: str, tmp_path: Path) -> None:
    job, numbers = job_of(tmp_path, kind), [3, 0, 17, 8]
    loss, gradients = loss_and_gradients(job, numbers)
    list(readings.read(job, lambda: False))
    assert job.readings is not None
    assert len(job.readings.rows) == len(job.train)
    again, replayed = loss_and_gradients(job, numbers)
    assert again == pytest.approx(loss, abs=1e-5)
    assert replayed.keys() == gradients.keys() == set(job.groups[-1].parameters)
    for name, gradient in gradients.items():
        torch.testing.assert_close(replayed[name], gradient, atol=1e-4, rtol=1e-4)


def test_no_layer_computes_while_the_head_learns(tmp_path: Path) -> None:
    job = job_of(tmp_path, "bert")
    list(readings.read(job, lambda: False))
    attention = job.model.get_submodule("bert.encoder.layer.0.attention")
    with attention.register_forward_hook(lambda *_: pytest.fail("a frozen layer was computed")):
        loss_and_gradients(job, [0, 1])
    with pytest.raises(pytest.fail.Exception), attention.register_forward_hook(lambda *_: pytest.fail("computed")):
        job.evaluate()


def test_rows_without_room_are_read_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job, numbers = job_of(tmp_path, "bert"), [5, 2]
    loss, gradients = loss_and_gradients(job, numbers)
    monkeypatch.setattr(readings, "MEMORY_SHARE", 0.0)
    told = list(readings.read(job, lambda: False))
    assert isinstance(told[0], Noted)
    assert job.readings is not None
    assert not job.readings.rows
    again, replayed = loss_and_gradients(job, numbers)
    assert again == pytest.approx(loss, abs=1e-5)
    assert replayed.keys() == gradients.keys()


def test_a_head_that_read_once_evaluates_like_the_whole_model(tmp_path: Path) -> None:
    rows = write_jsonl(tmp_path / "rows.jsonl", toy_rows(64))
    recipe = recipe_of(tiny_backbone(tmp_path / "bert"), rows, strategy="head", training={"epochs": 6})
    (tmp_path / "run").mkdir()
    told = run_of(recipe, tmp_path / "run")
    losses = [event.values["train/loss"] for event in told.all(Logged)]
    assert losses[-1] < losses[0]
