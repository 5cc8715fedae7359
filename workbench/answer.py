"""An answer of a model. Standard library only: who brings a journal into the store reads this."""

from __future__ import annotations

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
