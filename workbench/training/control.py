"""What others want of the loop between two updates: stop, pause, checkpoint, evaluate."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from workbench.training.ranks import agree

if TYPE_CHECKING:
    from accelerate import Accelerator

VERBS = ("stop", "pause", "checkpoint", "evaluate")
"""What may be asked of the loop; a `Noted` of that kind says that it is done."""


@dataclass
class Control:
    """What others want of the loop: an event for each of VERBS. It looks between updates, last after `step` of them."""

    stop: threading.Event = field(default_factory=threading.Event)
    pause: threading.Event = field(default_factory=threading.Event)
    checkpoint: threading.Event = field(default_factory=threading.Event)
    evaluate: threading.Event = field(default_factory=threading.Event)
    step: int = 0

    def ask(self, verb: str) -> int:
        """Ask for one of VERBS; return how many updates are done."""
        getattr(self, verb).set()
        return self.step

    def ends(self) -> bool:
        """Whether the run is to end now, to be resumed."""
        return self.stop.is_set() or self.pause.is_set()


def wishes(control: Control, step: int, accelerator: Accelerator) -> set[str]:
    """Return which of VERBS are asked for after `step` updates, the same in every process."""
    control.step = step
    bits = sum(getattr(control, verb).is_set() << place for place, verb in enumerate(VERBS))
    agreed = int(agree(accelerator, float(bits)))
    return {verb for place, verb in enumerate(VERBS) if agreed >> place & 1}
