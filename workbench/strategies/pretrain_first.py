"""Pretrain first: the backbone learns the language of raw texts, then another strategy learns the labelled data.

Pretraining on texts of the task's own kind before fine-tuning, as in ULMFiT (Howard and Ruder 2018) and Don't Stop
Pretraining (Gururangan et al. 2020). The queue makes two runs of it: the second begins with the model of the first and
learns by the strategy `then`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from workbench.parts import StrategyCard, StrategyOptions, TaskCard
from workbench.strategies.strategy import Strategy


class Options(StrategyOptions):
    name: Literal["pretrain-first"] = "pretrain-first"
    texts: str = Field(min_length=1, description="Raw texts to pretrain on: anything that data.train may be")
    epochs: float = Field(1.0, gt=0, le=10_000, description="Passes over the raw texts")
    rate: float | None = Field(None, gt=0, le=1, description="Learning rate on the raw texts; none takes the default")
    rows: int | None = Field(None, ge=1, description="Pretrain on this many random texts; none takes all")
    then: Literal["full", "gradual", "layer-decay", "top-layers", "head", "bias", "norms", "lora", "ia3"] = Field(
        "full", description="The strategy for the labelled data afterwards, at its defaults"
    )
    pretrained: str | None = Field(None, description="The run that pretrained: filled in when the two runs are queued")


class PretrainFirst(Strategy):
    card = StrategyCard(
        "pretrain, then fine-tune",
        "learns the language of raw texts first, then the labelled data: two linked runs",
        pretrains=True,
    )
    Options = Options

    @classmethod
    def why_not(cls, card: TaskCard) -> str:
        """Return that a task is itself pretraining, or that there is none for its kind of architecture."""
        if card.pretraining:
            return f"{card.title} is pretraining itself: take full, or scratch"
        if card.family == "encoder-decoder":
            return "there is no pretraining on raw text for encoder-decoders here"
        return ""
