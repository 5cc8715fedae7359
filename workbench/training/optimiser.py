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

CUT, RATIO = 0.1, 32
"""The share of the updates in which slanted-triangular rises, and its peak over its lowest rate: the paper's."""

COOLING = 0.2
"""The share of the updates in which wsd falls to zero, as the paper advises."""

RANGE = 1000.0
"""The highest rate of a range test over its lowest."""


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
    """Return the learning rate of update `step` (from 0) of `updates`: a share of the peak, as the schedule has it."""
    return training.learning_rate * _share_at(step, updates, training)


def _share_at(step: int, updates: int, training: Training) -> float:
    """Return the share of the peak: a linear rise, then the schedule's fall; two schedules have a rise of their own."""
    if training.schedule == "range-test":
        return float(RANGE ** (step / max(1, updates - 1) - 1))
    if training.schedule == "slanted-triangular":
        return _slanted_triangular(step, updates)
    warmup = math.ceil(updates * training.warmup)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    done = (step - warmup) / max(1, updates - warmup)
    if training.schedule == "linear":
        return 1 - done
    if training.schedule == "cosine":
        return (1 + math.cos(math.pi * done)) / 2
    if training.schedule == "inverse-sqrt":
        # As in Vaswani et al. 2017, who count updates from 1.
        return math.sqrt((warmup + 1) / (step + 1))
    if training.schedule == "wsd":
        return _cooled(step, updates, warmup)
    return 1.0


def _slanted_triangular(step: int, updates: int) -> float:
    """Return the share by Howard and Ruder 2018 (section 3.2): up over a tenth of the updates, then down for long.

    Where a tenth is no whole number the fall is stretched to end with the updates: theirs would pass zero.
    """
    cut = max(1, int(updates * CUT))
    height = step / cut if step < cut else 1 - (step - cut) / (updates - cut)
    return (1 + height * (RATIO - 1)) / RATIO


def _cooled(step: int, updates: int, warmup: int) -> float:
    """Return the share by Hägele et al. 2024: the peak, and over the last fifth 1 - √ of the part of it that is done.

    Hu et al. 2024 call it warm-up, stable, decay.
    """
    cooling = min(updates - warmup, math.ceil(updates * COOLING))
    return 1 - math.sqrt(max(0, step - (updates - cooling)) / cooling)


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Give each parameter group its share of the rate."""
    for table in optimiser.param_groups:
        table["lr"] = rate * table["share"]
