"""Step-wise fine-tuning: the head learns first, and layer groups join from the top down.

Gradual unfreezing and discriminative rates as in ULMFiT (Howard and Ruder 2018), with the schedule as a share of
training instead of one group an epoch, so that it fits any number of layers and epochs.
"""

from __future__ import annotations

from collections.abc import Sequence

from workbench import recipe
from workbench.strategies.groups import Group


class Gradual:
    pretrained = True

    def __init__(self, options: recipe.Gradual) -> None:
        self.options = options

    def trainable(self, groups: Sequence[Group], step: int, updates: int) -> frozenset[str]:
        """Return the top groups: the head alone at first, one more at even distances, all from `unfrozen_by` on."""
        last = max(1, round(updates * self.options.unfrozen_by))
        count = min(len(groups), 1 + step * (len(groups) - 1) // last)
        return frozenset(group.name for group in groups[len(groups) - count :])

    def rate(self, groups: Sequence[Group], number: int) -> float:
        """Return the whole rate for the head, and `rate_decay` times the rate above for each group below."""
        return self.options.rate_decay ** (len(groups) - 1 - number)
