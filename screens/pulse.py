"""The slow beat beside the feed: advance the queue, sample the box. Nothing here is needed to look at runs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from textual.message import Message

from screens.feed import Feed, Trouble

BEAT_SECONDS = 1.0


@dataclass
class Sampled(Message):
    """The box as it is now: `device` in words, `sample` by system key, `barred` slots that others use, with words."""

    device: str
    sample: dict[str, float]
    barred: dict[str, str]

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, Sampled)


class Pulse:
    """Once a second in a thread: reap and start runs while any is open, and look at the GPUs."""

    def __init__(self, feed: Feed, post: Callable[[Message], object]) -> None:
        self.feed = feed
        self.post = post
        self._barred: dict[str, str] = {}
        self._ended = threading.Event()
        self._told: set[str] = set()

    def start(self) -> None:
        """Begin to beat, in a thread that ends with the process."""
        threading.Thread(target=self._beat, name="pulse", daemon=True).start()

    def close(self) -> None:
        """End the thread."""
        self._ended.set()

    def _beat(self) -> None:
        while not self._ended.is_set():
            for act in (self._advance, self._sample):
                try:
                    act()
                except ModuleNotFoundError:
                    pass
                except Exception as error:
                    self._tell_once(error)
            self._ended.wait(BEAT_SECONDS)

    def _advance(self) -> None:
        if self.feed.readonly or self.feed.state != "ready" or not self.feed.open_runs():
            self._barred = {}
            return
        from workbench.supervision import queue

        self._barred = queue.advance(self.feed.home)

    def _sample(self) -> None:
        from workbench.box.telemetry import describe_device, sample

        self.post(Sampled(describe_device(0), sample(), self._barred))

    def _tell_once(self, error: Exception) -> None:
        words = f"{type(error).__name__}: {error}"
        if words not in self._told:
            self._told.add(words)
            self.post(Trouble(error))
