"""The moving average of the weights, which is evaluated and published in their place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


class Average:
    """The exponential moving average of the weights of some `names`; of none where the decay is 0.

    `weights` are the averages by name, to be saved and restored.
    """

    def __init__(self, model: PreTrainedModel, names: Iterable[str], decay: float) -> None:
        parameters = dict(model.named_parameters())
        self.decay = decay
        self._parameters = {name: parameters[name] for name in names} if decay else {}
        self.weights = {name: parameter.detach().clone() for name, parameter in self._parameters.items()}

    def update(self, step: int) -> None:
        """Move the averages towards the weights that update `step` (from 0) has made.

        The decay is at most (1 + step) / (10 + step), as in TensorFlow's: a short run would be averaged with its start.
        """
        if not self.weights:
            return
        from torch.optim.swa_utils import get_ema_multi_avg_fn

        move = get_ema_multi_avg_fn(min(self.decay, (1 + step) / (10 + step)))
        current: tuple[torch.Tensor, ...] = tuple(each.detach() for each in self._parameters.values())
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
        for name, parameter in self._parameters.items():
            parameter.data, self.weights[name] = self.weights[name], parameter.data
