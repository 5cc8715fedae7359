"""The strategies: one file each, with the same few methods, and one line here."""

from __future__ import annotations

from workbench.parts import StrategyOptions
from workbench.strategies.full import Full
from workbench.strategies.gradual import Gradual
from workbench.strategies.scratch import Scratch
from workbench.strategies.strategy import Strategy

STRATEGIES: dict[str, type[Strategy]] = {"full": Full, "gradual": Gradual, "scratch": Scratch}


def make_strategy(options: StrategyOptions) -> Strategy:
    """Return the strategy that a recipe's strategy table names."""
    return STRATEGIES[options.name](options)
