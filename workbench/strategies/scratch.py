"""From scratch: the backbone's architecture with random weights; the task alone teaches it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from workbench.parts import StrategyCard, StrategyOptions
from workbench.strategies.full import Full


class Options(StrategyOptions):
    name: Literal["scratch"] = "scratch"
    tokenizer: Literal["kept", "trained"] = Field("kept", description="The backbone's, or one trained on the rows")
    vocabulary: int = Field(8000, ge=300, le=250_000, description="Tokens of a tokenizer that is trained")


class Scratch(Full):
    card = StrategyCard("from scratch", "the architecture with random weights: no pretraining at all", pretrained=False)
    Options = Options  # type: ignore[assignment]
