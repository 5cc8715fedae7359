"""What every strategy is: which layer groups learn in an update, and at which share of the rate."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from workbench.parts import StrategyCard, StrategyOptions

if TYPE_CHECKING:
    from workbench.strategies.groups import Group


class Strategy(ABC):
    """A strategy as a recipe's table has it. Its card says whether it starts from the backbone's weights."""

    card: ClassVar[StrategyCard]
    Options: ClassVar[type[StrategyOptions]]

    def __init__(self, options: Any) -> None:
        self.options = options

    @abstractmethod
    def trainable(self, groups: Sequence[Group], step: int, updates: int) -> frozenset[str]:
        """Return the names of the groups that learn in update `step` (from 0) of `updates`."""

    def rate(self, groups: Sequence[Group], number: int) -> float:
        """Return the share of the learning rate at which group `number` (from the bottom) learns: all of it."""
        return 1.0
