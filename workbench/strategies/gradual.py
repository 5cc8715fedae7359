"""Step-wise fine-tuning: the head learns first, and layer groups join from the top down.

Gradual unfreezing and discriminative rates as in ULMFiT (Howard and Ruder 2018), which opens one group an epoch; by
default the groups open at even distances over a share of training, which fits any number of layers and epochs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from workbench.parts import StrategyCard, StrategyOptions
from workbench.strategies.layer_decay import LayerDecay
from workbench.strategies.strategy import Moment

if TYPE_CHECKING:
    from workbench.strategies.groups import Group


class Options(StrategyOptions):
    name: Literal["gradual"] = "gradual"
    by: Literal["share", "epochs", "steps", "stalls"] = Field(
        "share", description="What opens the next group: even parts of training, epochs, steps, or no gain"
    )
    unfrozen_by: float = Field(0.5, gt=0, le=1, description="Share of training after which every group learns")
    every: int = Field(1, ge=1, description="Epochs, steps or evaluations without a gain between two groups")
    rate_decay: float = Field(1.0, gt=0, le=1, description="Each group learns at this share of the rate above it")


class Gradual(LayerDecay):
    card = StrategyCard("step-wise (gradual unfreezing)", "head first, then layers from the top: against overfitting")
    Options = Options  # type: ignore[assignment]

    def trainable(self, groups: Sequence[Group], moment: Moment) -> frozenset[str]:
        """Return the top groups: the head alone at first, and one more each time that one opens."""
        count = min(len(groups), 1 + self._opened(len(groups), moment))
        return frozenset(group.name for group in groups[len(groups) - count :])

    def _opened(self, groups: int, moment: Moment) -> int:
        if self.options.by == "share":
            return moment.step * (groups - 1) // max(1, round(moment.updates * self.options.unfrozen_by))
        passed = {"epochs": moment.step // moment.per_epoch, "steps": moment.step, "stalls": moment.stalls}
        opened: int = passed[self.options.by] // self.options.every
        return opened

    def until(self, groups: Sequence[Group], moment: Moment) -> str:
        """Return when the next group opens."""
        if self.options.by != "stalls" or len(self.trainable(groups, moment)) == len(groups):
            return super().until(groups, moment)
        lacking = self.options.every - moment.stalls % self.options.every
        return f"until {lacking} more evaluation{'' if lacking == 1 else 's'} without a gain"
