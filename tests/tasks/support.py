"""What the tests of the tasks share: a little training on a tiny model, and its way through a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.data.features import Example
from workbench.inference.scoring import answers_to
from workbench.tasks.answer import Answer
from workbench.tasks.task import Task
from workbench.training.model import load_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def train_a_little(
    task: Task,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    examples: Sequence[Example],
    limit: int,
    updates: int = 2,
    rate: float = 1e-2,
) -> list[float]:
    """Train on all examples at once; return the loss of an item before each update."""
    import torch

    features = task.encode(tokenizer, examples, limit)
    batch, items = task.collate(features, tokenizer), sum(feature.items for feature in features)
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate)
    losses = []
    model.train()
    for _ in range(updates):
        loss = task.loss(model, batch, 0.0) / items
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses


def answers_of(
    task: Task,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    examples: Sequence[Example],
    limit: int,
) -> list[Answer]:
    """Return the answers to examples as an evaluation asks for them."""
    return answers_to(task, model, tokenizer, examples, task.questions(tokenizer, examples, limit), limit)


def through_a_folder(
    task: Task, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path
) -> tuple[Task, PreTrainedModel, PreTrainedTokenizerBase]:
    """Return task, model and tokenizer as they come back from a folder."""
    import torch

    task.save(model, tokenizer, folder)
    again = type(task).from_description(task.describe())
    loaded, info = again.load(folder, dtype=torch.float32)
    assert not info["missing_keys"]
    return again, loaded, load_tokenizer(folder)
