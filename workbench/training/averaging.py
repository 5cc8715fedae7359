"""The moving average of the weights, which is evaluated and published in their place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


class Average:
    """The exponential moving average of the weights that learn, or have learned; of none where the decay is 0.

    `weights` are the averages by name, to be saved and restored.
    """

    def __init__(self, model: PreTrainedModel, decay: float) -> None:
        self.decay = decay
        self.weights: dict[str, torch.Tensor] = {}
        self._parameters = dict(model.named_parameters())

    def follow(self) -> None:
        """Take in the weights that learn from now on, as they are before they do."""
        for name, parameter in self._parameters.items() if self.decay else ():
            if parameter.requires_grad and name not in self.weights:
                self.weights[name] = parameter.detach().clone()

    def update(self, step: int) -> None:
        """Move the averages towards the weights that update `step` (from 0) has made.

        The decay is at most (1 + step) / (10 + step), as in TensorFlow's: a short run would be averaged with its start.
        """
        if not self.weights:
            return
        from torch.optim.swa_utils import get_ema_multi_avg_fn

        move = get_ema_multi_avg_fn(min(self.decay, (1 + step) / (10 + step)))
        current = tuple(self._parameters[name].detach() for name in self.weights)
        move(tuple(self.weights.values()), current, step)

    @contextmanager
    def published(self) -> Iterator[None]:
        """Let the model have the averages as its weights for a while."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    def _exchange(self) -> None:
        for name, average in self.weights.items():
            parameter = self._parameters[name]
            parameter.data, self.weights[name] = average, parameter.data
