"""Norms only: the scales and shifts of every layer's norms learn, and the head (Qi et al. 2022).

peft's LayerNorm tuning learns copies of the same tensors; learning these themselves is the same, and leaves a plain
model behind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from workbench.parts import StrategyCard, StrategyOptions
from workbench.strategies.strategy import Strategy

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from workbench.strategies.groups import Group


class Options(StrategyOptions):
    name: Literal["norms"] = "norms"


class Norms(Strategy):
    card = StrategyCard(
        "norms only (LayerNorm tuning)",
        "scales and shifts of the norms learn, and the head: less than 0.1 % of it",
        partial=True,
        rate=1e-3,
    )
    Options = Options

    def learns(self, model: PreTrainedModel, group: Group) -> tuple[str, ...]:
        """Return the parameters of norms, and all of the head that the task puts on the backbone."""
        if group.name == "head" and self.headed:
            return group.parameters
        return tuple(name for name in group.parameters if _is_norm(model, name.rpartition(".")[0]))


def _is_norm(model: PreTrainedModel, module: str) -> bool:
    return "norm" in type(model.get_submodule(module)).__name__.lower()
