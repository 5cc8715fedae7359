"""What a model says of one input."""

from __future__ import annotations

import math
from collections.abc import Sequence

from workbench.answer import Answer


def mean_loss(answers: Sequence[Answer]) -> float:
    """Return the mean loss of the answers that have one, in nats; not a number where none has."""
    losses = [answer.loss for answer in answers if answer.loss is not None]
    return math.fsum(losses) / len(losses) if losses else math.nan


def softmax(logits: Sequence[float]) -> list[float]:
    """Return probabilities, computed one example at a time so that neighbours cannot change the last digit."""
    top = max(logits)
    powers = [math.exp(value - top) for value in logits]
    total = math.fsum(powers)
    return [power / total for power in powers]
