"""Layer-wise decay of the learning rate: every layer learns, the lower the slower.

As ELECTRA is fine-tuned (Clark et al. 2020): what lies near the tokens is general and changes little.
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
    name: Literal["layer-decay"] = "layer-decay"
    rate_decay: float = Field(0.8, gt=0, le=1, description="Each group learns at this share of the rate above it")


class LayerDecay(Strategy):
    card = StrategyCard("layer-wise rate decay", "every weight learns, lower layers slower: keeps what they know")
    Options = Options

    def rate(self, groups: Sequence[Group], number: int) -> float:
        """Return the whole rate for the head, and `rate_decay` times the rate above for each group below."""
        share: float = self.options.rate_decay ** (len(groups) - 1 - number)
        return share
