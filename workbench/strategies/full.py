"""Full fine-tuning: every weight learns from the first step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from workbench.parts import StrategyCard, StrategyOptions
from workbench.strategies.strategy import Strategy

if TYPE_CHECKING:
    from workbench.strategies.groups import Group


class Options(StrategyOptions):
    name: Literal["full"] = "full"


class Full(Strategy):
    card = StrategyCard("full fine-tuning", "every weight learns from the first step")
    Options = Options

    def trainable(self, groups: Sequence[Group], step: int, updates: int) -> frozenset[str]:
        """Return all groups."""
        return frozenset(group.name for group in groups)
