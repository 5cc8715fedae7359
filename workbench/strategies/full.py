"""Full fine-tuning: every weight learns from the first step."""

from __future__ import annotations

from collections.abc import Sequence

from workbench import recipe
from workbench.strategies.groups import Group


class Full:
    pretrained = True

    def __init__(self, options: recipe.Full | recipe.Scratch) -> None:
        self.options = options

    def trainable(self, groups: Sequence[Group], step: int, updates: int) -> frozenset[str]:
        """Return all groups."""
        return frozenset(group.name for group in groups)

    def rate(self, groups: Sequence[Group], number: int) -> float:
        """Return the whole rate."""
        return 1.0
