"""Full fine-tuning: every weight learns from the first step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from workbench.parts import StrategyCard, StrategyOptions
from workbench.strategies.strategy import Strategy

if TYPE_CHECKING:
    pass


class Options(StrategyOptions):
    name: Literal["full"] = "full"


class Full(Strategy):
    card = StrategyCard("full fine-tuning", "every weight learns from the first step")
    Options = Options
