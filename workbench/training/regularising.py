"""Remedies against overfitting that change how a batch is read: noise on embeddings, mixed rows, two passes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from workbench.errors import WorkbenchError
from workbench.tasks import Task
from workbench.training.model import has_dropout

if TYPE_CHECKING:
    import torch
    from torch import nn
    from transformers import PreTrainedModel

Batch = dict[str, "torch.Tensor"]

LEAST_ALPHA = 1e-3
"""Below it nothing is mixed: the shares of so small an alpha are 0 or 1, and torch's draws go wrong soon after."""


def token_embeddings(model: PreTrainedModel) -> list[nn.Module]:
    """Return the modules that turn token numbers into vectors: an encoder and a decoder may each have one."""
    weight = model.get_input_embeddings().weight
    return [module for module in model.modules() if getattr(module, "weight", None) is weight and _embeds(module)]


def refuse_equal_passes(rdrop: float, noise: float, model: PreTrainedModel) -> None:
    """Raise a WorkbenchError where two passes over a row would say the same, so that R-Drop does nothing."""
    drops = has_dropout(model.config) or any(getattr(module, "p", 0.0) for module in model.modules())
    if rdrop and not noise and not drops:
        raise WorkbenchError(
            f"R-Drop needs dropout, and this {model.config.model_type} has none",
            where="training.rdrop",
            hint="Set training.dropout, such as 0.1, or training.noise.",
        )


def add_noise(model: PreTrainedModel, alpha: float) -> None:
    """Let training, and training alone, see the embeddings with noise: NEFTune (Jain et al. 2023).

    Each number is moved by at most alpha / sqrt(tokens · hidden), evenly spread, drawn from torch's random state.
    """
    from transformers.integrations.neftune import neftune_post_forward_hook

    for module in token_embeddings(model):
        module.neftune_noise_alpha = alpha  # type: ignore[assignment]
        module.register_forward_hook(neftune_post_forward_hook)


@contextmanager
def mixed(model: PreTrainedModel, batch: Batch, alpha: float) -> Iterator[Batch]:
    """Give the batch whose rows are each mixed with another, embeddings and labels, by mixup (Zhang et al. 2018).

    As long as it is held the model reads share · row + (1 - share) · partner, `share` from Beta(alpha, alpha), the
    partners a permutation of the rows. The loss of labels that are shares is the mixture of the losses. An alpha
    of 0 gives the batch as it is.
    """
    import torch

    if alpha < LEAST_ALPHA:
        yield batch
        return
    share = float(torch.distributions.Beta(alpha, alpha).sample())
    partners = torch.randperm(len(batch["input_ids"])).to(batch["input_ids"].device)

    def mix(rows: torch.Tensor) -> torch.Tensor:
        return share * rows + (1 - share) * rows[partners]

    def mix_output(_module: nn.Module, _inputs: Any, output: torch.Tensor) -> torch.Tensor:
        # Two passes in one batch mix alike.
        passes = output.unflatten(0, (-1, len(partners)))
        return (share * passes + (1 - share) * passes[:, partners]).flatten(0, 1)

    mask = batch["attention_mask"]
    hooks = [module.register_forward_hook(mix_output) for module in token_embeddings(model)]
    try:
        yield {
            **batch,
            "attention_mask": torch.maximum(mask, mask[partners]),
            "labels": mix(_shares(batch["labels"], len(model.config.id2label or ()))),
        }
    finally:
        for hook in hooks:
            hook.remove()


def rdrop_loss(task: Task, model: PreTrainedModel, batch: Batch, smoothing: float, weight: float) -> torch.Tensor:
    """Return the summed loss of two passes with unlike dropout, their mean, and `weight` times how far they differ.

    R-Drop (Liang et al. 2021), as their code has it: both passes are one batch of twice as many rows.
    """
    import torch

    outputs: list[Any] = []
    hook = model.register_forward_hook(lambda _module, _inputs, output: outputs.append(output))
    try:
        loss = task.loss(model, {name: torch.cat([tensor, tensor]) for name, tensor in batch.items()}, smoothing)
    finally:
        hook.remove()
    return loss / 2 + weight * task.divergence(outputs[0], batch)


def _embeds(module: nn.Module) -> bool:
    from torch import nn

    return isinstance(module, nn.Embedding)


def _shares(labels: torch.Tensor, classes: int) -> torch.Tensor:
    """Return the numbers of classes as rows of shares; shares and scores as they are."""
    from torch.nn.functional import one_hot

    return labels if labels.is_floating_point() else one_hot(labels, classes).float()
