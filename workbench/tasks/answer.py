"""What a model says of one input."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answer:
    """`output` is the whole answer as the store and the screens have it; `pred` and `score` are its short form.

    `loss` (in nats) and `correct` are there where the right answer is known. `extra` is what the metrics need beside
    it; it is not stored.
    """

    pred: str
    score: float | None
    output: dict[str, Any]
    loss: float | None = None
    correct: bool | None = None
    extra: Any = None


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
