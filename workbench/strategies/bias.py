"""Bias only: the biases of every layer learn, and the head (BitFit, Ben Zaken et al. 2022)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from workbench.parts import StrategyCard, StrategyOptions
from workbench.strategies.strategy import Strategy

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from workbench.strategies.groups import Group


class Options(StrategyOptions):
    name: Literal["bias"] = "bias"


class Bias(Strategy):
    card = StrategyCard(
        "bias only", "the biases of every layer learn, and the head: about 0.1 % of it", partial=True, rate=1e-3
    )
    Options = Options

    def learns(self, model: PreTrainedModel, group: Group) -> tuple[str, ...]:
        """Return the biases, and all of the head that the task puts on the backbone."""
        if group.name == "head" and self.headed:
            return group.parameters
        return tuple(name for name in group.parameters if name.endswith("bias"))
