"""Remedies that a task or a strategy cannot have are refused when the recipe is read, with the reason."""

from __future__ import annotations

from typing import Any

import pytest

from workbench.catalog import TASKS
from workbench.errors import WorkbenchError
from workbench.recipe import Recipe, parse

ON: dict[str, Any] = {"rdrop": 1.0, "mixup": 0.4, "class_weights": "balanced"}


def recipe_with(task: str, strategy: Any = "full", **training: Any) -> Recipe:
    plain = {"task": task, "data": "rows.jsonl", "backbone": "somebody/something", "strategy": strategy}
    return parse({**plain, "training": training})


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("setting", ON)
def test_a_task_has_the_remedies_of_its_card_and_no_other(task: str, setting: str) -> None:
    if setting in TASKS[task].remedies:
        assert getattr(recipe_with(task, **{setting: ON[setting]}).training, setting) == ON[setting]
        return
    with pytest.raises(WorkbenchError, match=f"training.{setting}: .*not for {task}: .*; it is for sentiment"):
        recipe_with(task, **{setting: ON[setting]})


def test_a_card_names_remedies_alone() -> None:
    assert {name for card in TASKS.values() for name in card.remedies} == set(ON)


@pytest.mark.parametrize(("setting", "value"), [("rdrop", 1.0), ("mixup", 0.4), ("noise", 5.0)])
def test_layers_that_read_once_read_rows_as_they_are(setting: str, value: float) -> None:
    with pytest.raises(WorkbenchError, match=f"training.{setting}: .*not with head: its frozen layers read each row"):
        recipe_with("sentiment", "head", **{setting: value})


@pytest.mark.parametrize(("setting", "value"), [("rdrop", 1.0), ("mixup", 0.4)])
def test_a_teacher_tells_of_one_pass_over_one_row(setting: str, value: float) -> None:
    with pytest.raises(WorkbenchError, match=f"training.{setting}: .*not with distil: what the teacher tells"):
        recipe_with("sentiment", {"name": "distil", "teacher": "run:abc"}, **{setting: value})


def test_noise_and_averages_are_for_every_task() -> None:
    for task in TASKS:
        assert recipe_with(task, noise=5.0, average=0.99, activation_checkpointing=True).training.noise == 5.0


def test_a_teacher_tells_of_rows_as_they_are() -> None:
    plain = {"task": "sentiment", "data": "rows.jsonl", "backbone": "somebody/something", "augment": {"delete": 0.1}}
    with pytest.raises(WorkbenchError, match=r"augment\.delete: not with a teacher"):
        parse({**plain, "strategy": {"name": "distil", "teacher": "somebody/else"}})


def test_four_bits_need_a_gpu() -> None:
    plain = {"task": "sentiment", "data": "rows.jsonl", "backbone": "somebody/something"}
    with pytest.raises(WorkbenchError, match=r"strategy\.quantized: weights in 4 bits need a GPU"):
        parse({**plain, "strategy": {"name": "lora", "quantized": True}, "hardware": {"device": "cpu"}})
