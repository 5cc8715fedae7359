"""Full fine-tuning: every weight learns from the first step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from workbench.parts import StrategyCard, StrategyOptions
from workbench.strategies.strategy import Moment, Strategy, every_group

if TYPE_CHECKING:
    from workbench.strategies.groups import Group


class Options(StrategyOptions):
    name: Literal["full"] = "full"


class Full(Strategy):
    card = StrategyCard("full fine-tuning", "every weight learns from the first step")
    Options = Options

    def trainable(self, groups: Sequence[Group], moment: Moment) -> frozenset[str]:
        """Return all groups."""
        return every_group(groups)
