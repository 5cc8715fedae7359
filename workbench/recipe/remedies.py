"""Which settings of training not every task and strategy can have, and why one cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.catalog import TASKS
from workbench.strategies import STRATEGIES

if TYPE_CHECKING:
    from workbench.recipe.model import Training

OFF = {"rdrop": 0.0, "mixup": 0.0, "noise": 0.0, "class_weights": "none"}
"""Settings that need something of task or strategy, and their value where they do nothing."""

NEEDS = {
    "rdrop": "what two passes say of a row must be comparable, row by row",
    "mixup": "a row must have one label, or a share of each",
    "class_weights": "the labels must be classes that can be counted",
}
"""What of a task a setting needs."""

AS_THEY_ARE = ("rdrop", "mixup", "noise")
"""Settings that let a model read a row in another way each time."""


def why_no_remedy(task: str, strategy: str, training: Training) -> tuple[str, str]:
    """Return the first setting that a task or strategy cannot have, and why; two empty texts where it can have all."""
    card, kind = TASKS[task], STRATEGIES[strategy]
    for setting in (setting for setting, off in OFF.items() if getattr(training, setting) != off):
        if setting in NEEDS and setting not in card.remedies:
            able = ", ".join(name for name, other in TASKS.items() if setting in other.remedies)
            return setting, f"not for {task}: {NEEDS[setting]}; it is for {able}"
        if setting in AS_THEY_ARE and kind.reads_once:
            return setting, f"not with {strategy}: its frozen layers read each row once, as it is"
        if setting in AS_THEY_ARE[:2] and kind.taught:
            return setting, f"not with {strategy}: what the teacher tells is of one pass over one row"
    return "", ""
