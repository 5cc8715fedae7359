"""Processes that train together: each takes its share of every batch, and their gradients are added up.

The gradients are added up here and not by DistributedDataParallel: it fixes at its start what learns, and a model
whose layers open later ends up different in each process.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator

Row = TypeVar("Row")


def share_of(rows: Sequence[Row], accelerator: Accelerator) -> Sequence[Row]:
    """Return this process's rows of a batch: every row is one process's; all of them where it is alone."""
    return rows[accelerator.process_index :: accelerator.num_processes]


def seed_update(seed: int, step: int, accelerator: Accelerator) -> None:
    """Give each of several processes a dropout of its own: a function of seed, update and process."""
    import torch

    if accelerator.num_processes > 1:
        torch.manual_seed((seed * 1_000_003 + step) * 1_009 + accelerator.process_index)


def add_up(accelerator: Accelerator, parameters: Iterable[torch.nn.Parameter], total: torch.Tensor) -> None:
    """Add up the gradients of what learns, and the loss, over all processes, in place; one that had no row adds 0."""
    import torch

    if accelerator.num_processes == 1:
        return
    learning = [each for each in parameters if each.requires_grad]
    for each in learning:
        each.grad = torch.zeros_like(each) if each.grad is None else each.grad
    gradients = [each.grad for each in learning if each.grad is not None]
    # In one piece: each call waits for every process.
    flat = torch.cat([total.reshape(1), *(gradient.reshape(-1) for gradient in gradients)])
    torch.distributed.all_reduce(flat)
    total.copy_(flat[0])
    for gradient, part in zip(gradients, flat[1:].split([each.numel() for each in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))


def agree(accelerator: Accelerator, value: float) -> float:
    """Return the main process's value in every process, so that all decide alike."""
    import torch

    if accelerator.num_processes == 1:
        return value
    told = torch.tensor([value], dtype=torch.float64, device=accelerator.device)
    torch.distributed.broadcast(told, 0)
    return float(told.item())
