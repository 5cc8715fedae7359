"""Step-wise fine-tuning: the head learns first, and layer groups join from the top down.

Gradual unfreezing and discriminative rates as in ULMFiT (Howard and Ruder 2018), with the schedule as a share of
training instead of one group an epoch, so that it fits any number of layers and epochs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from workbench.parts import StrategyCard, StrategyOptions
from workbench.strategies.strategy import Strategy

if TYPE_CHECKING:
    from workbench.strategies.groups import Group


class Options(StrategyOptions):
    name: Literal["gradual"] = "gradual"
    unfrozen_by: float = Field(0.5, gt=0, le=1, description="Share of training after which every group learns")
    rate_decay: float = Field(1.0, gt=0, le=1, description="Each group learns at this share of the rate above it")


class Gradual(Strategy):
    card = StrategyCard("step-wise (gradual unfreezing)", "head first, then layers from the top: against overfitting")
    Options = Options

    def trainable(self, groups: Sequence[Group], step: int, updates: int) -> frozenset[str]:
        """Return the top groups: the head alone at first, one more at even distances, all from `unfrozen_by` on."""
        last = max(1, round(updates * self.options.unfrozen_by))
        count = min(len(groups), 1 + step * (len(groups) - 1) // last)
        return frozenset(group.name for group in groups[len(groups) - count :])

    def rate(self, groups: Sequence[Group], number: int) -> float:
        """Return the whole rate for the head, and `rate_decay` times the rate above for each group below."""
        share: float = self.options.rate_decay ** (len(groups) - 1 - number)
        return share
