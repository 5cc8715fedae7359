"""From scratch: the backbone's architecture with random weights; the task alone teaches it."""

from __future__ import annotations

from typing import Literal

from workbench.parts import StrategyCard, StrategyOptions
from workbench.strategies.full import Full


class Options(StrategyOptions):
    name: Literal["scratch"] = "scratch"


class Scratch(Full):
    card = StrategyCard("from scratch", "the architecture with random weights: no pretraining at all", pretrained=False)
    Options = Options  # type: ignore[assignment]
