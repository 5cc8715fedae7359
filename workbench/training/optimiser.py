"""The optimiser, and its rate as a pure function of the update."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from workbench.recipe import Training
from workbench.strategies import Strategy
from workbench.strategies.groups import Group

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

NO_DECAY = re.compile(
    r"(^|[._])(bias|norm|layernorm|layer_norm|rmsnorm|ln_\w+|norm\d*|ia3_l|lora_magnitude_vector)([._]|$)",
    re.IGNORECASE,
)
"""Biases and norms are not pulled to zero, as in transformers' Trainer, nor are the scales that adapters learn."""


def build_optimiser(
    model: PreTrainedModel, groups: Sequence[Group], strategy: Strategy, training: Training
) -> torch.optim.AdamW:
    """Return a fused AdamW that holds every parameter that ever learns from the start.

    A parameter that does not learn has no gradient and is left alone; adding it later would break resuming.
    """
    import torch

    parameters = dict(model.named_parameters())
    tables = []
    for number, group in enumerate(groups):
        share = strategy.rate(groups, number)
        for decays in (True, False):
            members = [parameters[name] for name in group.learns if bool(NO_DECAY.search(name)) != decays]
            if members:
                decay = training.weight_decay if decays else 0.0
                tables.append({"params": members, "weight_decay": decay, "share": share})
    return torch.optim.AdamW(tables, lr=training.learning_rate, betas=(0.9, 0.999), eps=1e-8, fused=True)


def rate_at(step: int, updates: int, training: Training) -> float:
    """Return the learning rate of update `step` (from 0) of `updates`: a linear rise, then the schedule's fall."""
    warmup = math.ceil(updates * training.warmup)
    if step < warmup:
        return training.learning_rate * (step + 1) / (warmup + 1)
    done = (step - warmup) / max(1, updates - warmup)
    if training.schedule == "linear":
        return training.learning_rate * (1 - done)
    if training.schedule == "cosine":
        return training.learning_rate * (1 + math.cos(math.pi * done)) / 2
    return training.learning_rate


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Give each parameter group its share of the rate."""
    for table in optimiser.param_groups:
        table["lr"] = rate * table["share"]
