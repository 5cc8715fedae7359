"""The tasks: one file each, with the same few methods.

A task says what the labels are, makes the head and the loss, and turns what the model gives into answers and metrics.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, Self

from workbench.tasks.answer import Answer
from workbench.tasks.text_classification import TextClassification

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedModel


class Task(Protocol):
    """The methods every task has."""

    @classmethod
    def from_labels(cls, labels: Sequence[Any], names: Sequence[str] = ()) -> Self:
        """Learn the label set from the training rows."""

    @classmethod
    def from_description(cls, description: dict[str, Any]) -> Self:
        """Rebuild the task from what `describe` returned."""

    def describe(self) -> dict[str, Any]:
        """Return what rebuilds this task beside a saved model."""

    def configure(self, config: PretrainedConfig) -> None:
        """Set what the head needs in a model's configuration."""

    def load(self, folder: str, **options: Any) -> tuple[PreTrainedModel, dict[str, Any]]:
        """Return the model with its head and transformers' loading report, weights from `folder`."""

    def fresh(self, config: PretrainedConfig) -> PreTrainedModel:
        """Return the model with its head, with random weights."""

    def gold(self, labels: Sequence[Any], where: str) -> list[int]:
        """Return labels as numbers; raise a WorkbenchError on one that is not known from training."""

    def loss(self, logits: torch.Tensor, labels: torch.Tensor, smoothing: float) -> torch.Tensor:
        """Return the sum of the losses of a batch, in nats."""

    def answer(self, logits: Sequence[float], gold: int | None = None) -> Answer:
        """Return the answer that one example's logits stand for."""

    def metrics(self, answers: Sequence[Answer], gold: Sequence[int]) -> dict[str, float]:
        """Return the metrics of an evaluation."""


TASKS: dict[str, type[Task]] = {"sentiment": TextClassification, "text-classification": TextClassification}
