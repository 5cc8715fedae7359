"""What a batch of training is held to: the task's loss, and what the recipe adds to it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

from workbench.data.features import Feature
from workbench.training.regularising import mixed, rdrop_loss

if TYPE_CHECKING:
    import torch

    from workbench.training.job import Job


def batch_loss(job: Job, features: Sequence[Feature], numbers: Sequence[int]) -> torch.Tensor:
    """Return the sum of the losses of a batch's items, in nats; `numbers` are those of the rows in training."""
    task, training, device = job.data.task, job.recipe.training, job.accelerator.device
    batch = {name: tensor.to(device) for name, tensor in task.collate(features, job.tokenizer).items()}
    replayed = job.readings.replayed(job, batch, numbers) if job.readings else nullcontext()
    with replayed, job.accelerator.autocast(), mixed(job.model, batch, training.mixup) as batch:
        if job.lesson:
            return job.lesson.loss(job, batch, features, numbers)
        if training.rdrop:
            return rdrop_loss(task, job.model, batch, training.label_smoothing, training.rdrop)
        return task.loss(job.model, batch, training.label_smoothing)
