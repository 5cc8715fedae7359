"""What every strategy is: which tensors learn in an update, and at which share of the rate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from workbench.parts import StrategyCard, StrategyOptions, TaskCard

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from workbench.strategies.groups import Group


@dataclass(frozen=True)
class Moment:
    """Where a run is: before update `step` (from 0) of `updates`, `per_epoch` of them an epoch.

    `stalls` counts the evaluations so far that brought no gain.
    """

    step: int
    updates: int
    per_epoch: int = 1
    stalls: int = 0


class Strategy:
    """A strategy as a recipe's table has it. `headed` is whether the task puts a head of its own on the backbone.

    The head learns with every strategy, as soon as the strategy's schedule has the head's group learn.
    """

    card: ClassVar[StrategyCard]
    Options: ClassVar[type[StrategyOptions]]
    taught: ClassVar[bool] = False
    """Whether a teacher tells what the rows of training are, before the first update."""

    reads_once: bool = False
    """Whether nothing below the head ever learns: then the layers read each row once."""

    def __init__(self, options: Any, headed: bool = True) -> None:
        self.options = options
        self.headed = headed

    @classmethod
    def why_not(cls, card: TaskCard) -> str:
        """Return why the strategy makes no sense for a task, or nothing where it does."""
        return ""

    def adapt(self, model: PreTrainedModel) -> None:
        """Put into a model what learns beside its own weights; most have nothing of the kind."""

    def learns(self, model: PreTrainedModel, group: Group) -> tuple[str, ...]:
        """Return the names of the tensors of a group that learn when the group does: all of them."""
        return group.parameters

    def trainable(self, groups: Sequence[Group], moment: Moment) -> frozenset[str]:
        """Return the names of the groups that learn at a moment: all of them."""
        return frozenset(group.name for group in groups)

    def rate(self, groups: Sequence[Group], number: int) -> float:
        """Return the share of the learning rate at which group `number` (from the bottom) learns: all of it."""
        return 1.0

    def until(self, groups: Sequence[Group], moment: Moment) -> str:
        """Return in words when other groups will learn than at this moment, or nothing where that stays so."""
        now, low, high = self.trainable(groups, moment), moment.step, max(0, moment.updates - 1)
        if self.trainable(groups, replace(moment, step=high)) == now:
            return ""
        while high - low > 1:
            middle = (low + high) // 2
            if self.trainable(groups, replace(moment, step=middle)) == now:
                low = middle
            else:
                high = middle
        return f"until step {high}"

    @contextmanager
    def published(self, model: PreTrainedModel) -> Iterator[None]:
        """Let the model be, for a while, the plain one of transformers that is evaluated and published."""
        yield
