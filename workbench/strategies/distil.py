"""Distillation: a light student learns what a larger model says, on a task or on raw text.

On a task it learns the teacher's outputs beside the right answers (Hinton et al. 2015); on raw text the vectors that
the teacher gives whole texts, beside guessing hidden words (Reimers and Gurevych 2020).
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from workbench.parts import StrategyCard, StrategyOptions, TaskCard
from workbench.strategies.full import Full


class Options(StrategyOptions):
    name: Literal["distil"] = "distil"
    teacher: str = Field(min_length=1, description="The larger model: run:RUN of the same task, a folder or a Hub id")
    weight: float = Field(0.5, gt=0, le=1, description="Share of the loss that is the teacher's")
    temperature: float = Field(2.0, ge=1, le=100, description="Softens what the teacher says of labels")


class Distil(Full):
    card = StrategyCard("distil a larger model", "a light student learns a larger model's answers, or its vectors")
    Options = Options  # type: ignore[assignment]
    taught = True

    @classmethod
    def why_not(cls, card: TaskCard) -> str:
        """Return that a teacher says one row of numbers for each text, where the task has none."""
        if card.per_text or (card.pretraining and card.family == "encoder"):
            return ""
        return f"a teacher tells one row of numbers for each text, and {card.title} has none"
