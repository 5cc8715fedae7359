"""The strategies: one file each, with the same few methods.

A strategy says where the weights come from, which layer groups learn in an update, and at which share of the rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from workbench.strategies.full import Full
from workbench.strategies.gradual import Gradual
from workbench.strategies.groups import Group
from workbench.strategies.scratch import Scratch


class Strategy(Protocol):
    """The methods every strategy has."""

    pretrained: bool
    """Whether the backbone's weights are used."""

    def trainable(self, groups: Sequence[Group], step: int, updates: int) -> frozenset[str]:
        """Return the names of the groups that learn in update `step` (from 0) of `updates`."""

    def rate(self, groups: Sequence[Group], number: int) -> float:
        """Return the share of the learning rate at which group `number` (from the bottom) learns."""


STRATEGIES: dict[str, Any] = {"full": Full, "gradual": Gradual, "scratch": Scratch}


def make_strategy(options: Any) -> Strategy:
    """Return the strategy that a recipe's strategy table names."""
    strategy: Strategy = STRATEGIES[options.name](options)
    return strategy
