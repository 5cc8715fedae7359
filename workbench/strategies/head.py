"""Head only (a linear probe): the backbone is read, not changed, and the head learns on what it says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from workbench.parts import StrategyCard, StrategyOptions, TaskCard
from workbench.strategies.strategy import Moment, Strategy

if TYPE_CHECKING:
    from workbench.strategies.groups import Group


class Options(StrategyOptions):
    name: Literal["head"] = "head"


class Head(Strategy):
    card = StrategyCard(
        "head only (linear probe)",
        "the frozen backbone reads each row once, the head learns: seconds, and the weakest",
        partial=True,
        rate=1e-3,
    )
    Options = Options
    reads_once = True

    @classmethod
    def why_not(cls, card: TaskCard) -> str:
        """Return that there is nothing to learn where the task has no head of its own."""
        return "" if card.head else f"{card.title} puts no head of its own on the backbone: nothing would learn"

    def trainable(self, groups: Sequence[Group], moment: Moment) -> frozenset[str]:
        """Return the head."""
        return frozenset(["head"])
