"""How far apart two passes of one batch are: what R-Drop (Liang et al. 2021) adds to a loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.data.features import IGNORED

if TYPE_CHECKING:
    import torch


def divergence(logits: torch.Tensor) -> torch.Tensor:
    """Return the mean of both Kullback-Leibler divergences of two distributions, in nats.

    logits (2·rows, …, classes) hold a pass of some rows, then another of the same; returned are (rows, …).
    """
    one, other = logits.float().log_softmax(dim=-1).chunk(2)
    return ((one.exp() - other.exp()) * (one - other)).sum(dim=-1) / 2


def divergence_at_labels(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the summed divergence of what has a label; logits (2·rows, tokens, classes), labels (rows, tokens)."""
    return (divergence(logits) * (labels != IGNORED)).sum()
