"""Whether a run's resumes were exact, as they found themselves. Light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from store.events import Event
from workbench.text import count, plain

KIND = "resume"
"""The kind of the events that tell of it; those in doubt are warnings."""


@dataclass(frozen=True)
class Resumes:
    """`compared` counts the numbers that were logged again and held against the first ones."""

    times: int
    compared: int
    doubts: tuple[str, ...]

    @property
    def words(self) -> str:
        """`2 times, exact: 36 numbers logged again are the same to the bit`; nothing where it never was resumed."""
        if not self.times and not self.doubts:
            return ""
        times = "once" if self.times == 1 else f"{self.times} times" if self.times else "from its beginning"
        if self.doubts:
            return f"{times}, with doubts: {'; '.join(map(plain, self.doubts))}"
        if not self.compared:
            return f"{times}: nothing was done again"
        return f"{times}, exact: {count(self.compared)} numbers logged again are the same to the bit"


def resumes_of(events: Sequence[Event]) -> Resumes:
    """Return what the events of a run, oldest first, say of its resumes."""
    told = [event for event in events if event.kind == KIND]
    doubts = tuple(event.text for event in told if event.level == "warning")
    compared = sum(event.data.get("compared", 0) for event in told)
    return Resumes(sum(event.text.startswith("resumed ") for event in told), compared, doubts)
