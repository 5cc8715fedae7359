"""What one model says to a question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workbench.text import number, plain

Key = tuple[int, bool]
"""A run, and whether it is asked as it was before training."""


@dataclass(frozen=True)
class Reply:
    """An output with its milliseconds, a problem, or words on what it waits for.

    `pred` and `score` are the short form of `output`. `written` is the text so far of one that is being written,
    `pieces` how many tokens that are and `seconds` how long they took; `stopped` tells that a person ended it.
    """

    run_id: int
    name: str
    output: Mapping[str, Any] | None = None
    ms: float = 0.0
    step: int | None = None
    problem: str = ""
    waiting: str = ""
    base: bool = False
    pred: str = ""
    score: float | None = None
    written: str = ""
    pieces: int = 0
    seconds: float = 0.0
    stopped: bool = False

    @property
    def key(self) -> Key:
        return self.run_id, self.base

    @property
    def title(self) -> str:
        """Whose reply it is, safe: #12 name, or #12 base for the model before training."""
        return plain(f"#{self.run_id} base" if self.base else f"#{self.run_id} {self.name}")


@dataclass(frozen=True)
class View:
    """What a reply is shown in: what was asked, the right answer, how wide it is, and whether only ASCII is wanted."""

    fields: Mapping[str, Any]
    gold: str | None
    cells: int
    ascii: bool = False


def short_form(output: Mapping[str, Any]) -> tuple[str, float | None]:
    """Return the answer in a few words and its score, as a stored output has them."""
    said = output.get("said")
    if isinstance(said, Mapping):
        return str(said.get("pred", "")), said.get("score")
    label, scores = str(output.get("label", "")), output.get("scores")
    return label, scores.get(label) if isinstance(scores, Mapping) else None


def kept_form(reply: Reply) -> dict[str, Any]:
    """Return the output of a reply as it is stored, with its short form for `short_form`."""
    return {**(reply.output or {}), "said": {"pred": reply.pred, "score": reply.score}}


COMPARED = ("sentiment", "text-classification", "multi-label", "named-entities")


def is_right(task: str, pred: str, gold: str | None) -> bool | None:
    """Return whether an answer is the right one, None where that is not known or not a matter of yes and no.

    Of a question's right answers, divided by bars, any one will do.
    """
    if gold is None:
        return None
    if task == "question-answering":
        return pred.strip().casefold() in [each.strip().casefold() for each in gold.split(" | ")]
    return pred == gold if task in COMPARED else None


def score_words(task: str, pred: str, score: float | None) -> str:
    """Return the score behind an answer; nothing where the answer is that number, or a text, of which it tells little.

    What is written is judged by reading it: its mean log-probability says nothing by itself.
    """
    said = number(score, 2)
    return "" if score is None or task in WRITTEN or pred.startswith(said) else said


WRITTEN = ("translation", "summarization", "instructions", "causal-pretraining")
