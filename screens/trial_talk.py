"""One question and what each model has said to it so far."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from screens.answers.reply import Key, Reply, kept_form
from screens.trial_ask import Answered, Loading, Written
from store.runs import Run

Answers = dict[int, tuple[dict[str, Any], float]]


class Talk:
    """The question that is out or was answered last; what comes to an earlier one is not heard.

    `models` are runs in the order in which they are asked, with True for one as it was before training.
    """

    def __init__(self) -> None:
        self.number = 0
        self.task = ""
        self.fields: Mapping[str, Any] = {}
        self.gold: str | None = None
        self.replies: dict[Key, Reply] = {}
        self.asking = False
        self._asked_at = 0.0
        self._stopped: set[Key] = set()

    def begin(self, models: Sequence[tuple[Run, bool]], fields: Mapping[str, Any], gold: str | None) -> int:
        """Begin a question; return its number."""
        self.number += 1
        self.task, self.fields, self.gold, self.asking = models[0][0].task, dict(fields), gold, True
        self._asked_at, self._stopped = time.monotonic(), set()
        waits = "waits its turn …"
        self.replies = {
            (run.id, base): Reply(run.id, run.name, waiting=waits, base=base) for run, base in models
        }  # fmt: skip
        return self.number

    def forget(self, task: str) -> None:
        """Drop a question of another task than this."""
        self.number += 1
        self.task = task
        self.fields, self.gold, self.replies, self.asking = {}, None, {}, False

    def _hears(self, event: Loading | Written | Answered) -> bool:
        return event.question == self.number and event.key in self.replies

    def take_loading(self, event: Loading) -> bool:
        """Note that a model is loaded or asked; return whether that matters, as the others do."""
        if not self._hears(event):
            return False
        reply = self.replies[event.key]
        words = "loading" if event.first else "asking"
        self.replies[event.key] = replace(reply, waiting=f"{words} {reply.title.partition(' ')[0]} …")
        return True

    def take_written(self, event: Written) -> bool:
        """Note how far a text is written."""
        if not self._hears(event) or not self.replies[event.key].waiting:
            return False
        change = {"written": event.text, "pieces": event.pieces, "seconds": event.seconds}
        self.replies[event.key] = replace(self.replies[event.key], **change)  # type: ignore[arg-type]
        return True

    def take_answer(self, event: Answered) -> bool:
        """Note an answer, or why there is none."""
        if not self._hears(event):
            return False
        self.replies[event.key] = replace(
            self.replies[event.key], output=event.output, pred=event.pred, score=event.score, ms=event.ms,
            step=event.step, problem=event.problem, waiting="", stopped=event.key in self._stopped,
        )  # fmt: skip
        return True

    def wait(self) -> None:
        """Bring the words of those that have not answered up to date: how many seconds it takes."""
        passed = int(time.monotonic() - self._asked_at)
        seconds = f" {passed} s · ^x cancels" if passed else ""
        for key, reply in self.replies.items():
            if reply.waiting:
                words = reply.waiting.partition(" …")[0]
                self.replies[key] = replace(reply, waiting=f"{words} …{seconds}")

    def stop(self) -> bool:
        """Note that the text that is being written is to end here; return False where none is, or it is ending."""
        writing = next((reply.key for reply in self.replies.values() if reply.waiting and reply.written), None)
        if writing is None or writing in self._stopped:
            return False
        self._stopped.add(writing)
        return True

    def cancel(self) -> None:
        """Hear no more of this question."""
        self.number += 1
        self.asking = False
        for key, reply in self.replies.items():
            self.replies[key] = replace(reply, waiting="cancelled" if reply.waiting else "", written="")

    def answers(self, *, base: bool) -> Answers:
        """Return what to store: run → (output, milliseconds), of the runs or of their bases."""
        return {
            reply.run_id: (kept_form(reply), reply.ms)
            for reply in self.replies.values()
            if reply.output is not None and reply.base == base
        }
