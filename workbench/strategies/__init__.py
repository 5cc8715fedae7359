"""The strategies: one file each, with the same few methods, and one line here."""

from __future__ import annotations

from workbench.parts import StrategyOptions
from workbench.strategies.bias import Bias
from workbench.strategies.distil import Distil
from workbench.strategies.full import Full
from workbench.strategies.gradual import Gradual
from workbench.strategies.head import Head
from workbench.strategies.ia3 import Ia3
from workbench.strategies.layer_decay import LayerDecay
from workbench.strategies.lora import Lora
from workbench.strategies.norms import Norms
from workbench.strategies.pretrain_first import PretrainFirst
from workbench.strategies.scratch import Scratch
from workbench.strategies.strategy import Moment, Strategy
from workbench.strategies.top_layers import TopLayers

__all__ = ["STRATEGIES", "Moment", "Strategy", "make_strategy"]

STRATEGIES: dict[str, type[Strategy]] = {
    "full": Full,
    "gradual": Gradual,
    "layer-decay": LayerDecay,
    "top-layers": TopLayers,
    "head": Head,
    "bias": Bias,
    "norms": Norms,
    "lora": Lora,
    "ia3": Ia3,
    "scratch": Scratch,
    "pretrain-first": PretrainFirst,
    "distil": Distil,
}


def make_strategy(options: StrategyOptions, headed: bool = True) -> Strategy:
    """Return the strategy by which the labelled rows are learned; `headed` is whether the task has its own head."""
    then: str = getattr(options, "then", options.name)
    if then != options.name:
        options = STRATEGIES[then].Options(name=then)
    return STRATEGIES[then](options, headed)
