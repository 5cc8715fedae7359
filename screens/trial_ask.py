"""Asking models from a screen: one question at a time in a thread, answers as they come."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from textual.message import Message

from screens.answers.reply import Key
from store.runs import Run
from workbench.errors import WorkbenchError
from workbench.paths import Home

TOLD_EVERY = 0.1
"""Seconds between two looks at a text that is being written."""


class Answering(Protocol):
    """What is needed of the client of the inference host."""

    def answer(
        self,
        run: Run,
        rows: Sequence[Mapping[str, Any]],
        *,
        base: bool = False,
        written: Callable[[str], None] | None = None,
        timeout: float = 120,
        cancelled: Callable[[], bool] = ...,
    ) -> Sequence[Any]: ...

    def stop(self) -> None: ...

    def close(self) -> None: ...


@dataclass
class Loading(Message):
    """A model is being asked; it has to be loaded where it is asked for the first time."""

    question: int
    key: Key
    first: bool


@dataclass
class Written(Message):
    """A model has written so much of its text: `pieces` tokens in `seconds`."""

    question: int
    key: Key
    text: str
    pieces: int
    seconds: float

    def can_replace(self, message: Message) -> bool:
        """Let the longer text stand for the shorter."""
        return isinstance(message, Written) and (message.question, message.key) == (self.question, self.key)


@dataclass
class Answered(Message):
    """A model has answered, or cannot."""

    question: int
    key: Key
    output: Mapping[str, Any] | None = None
    pred: str = ""
    score: float | None = None
    ms: float = 0.0
    step: int | None = None
    problem: str = ""


@dataclass
class AllAnswered(Message):
    """Every model that was asked has answered or said why not."""

    question: int


def open_client(home: Home) -> Answering:
    """Return the client of the inference host of this home; the host starts with the first question."""
    from workbench.inference.client import Client

    return Client(home)


class Asker:
    """Hold the client and put questions to it, never two at once."""

    def __init__(self, home: Home, post: Callable[[Message], object]) -> None:
        self.home = home
        self.post = post
        self._client: Answering | None = None
        self._turn = threading.Lock()
        self._closed = False
        self._met: set[Key] = set()

    def ask(
        self,
        question: int,
        models: Sequence[tuple[Run, bool]],
        fields: Mapping[str, Any],
        cancelled: Callable[[], bool],
    ) -> None:
        """Ask runs, or with True their bases, one after another; blocks, so call it in a thread."""
        with self._turn:
            for run, base in models:
                if cancelled() or self._closed:
                    return
                self.post(self._one(question, run, base, fields, cancelled))
            self.post(AllAnswered(question))

    def _one(
        self, question: int, run: Run, base: bool, fields: Mapping[str, Any], cancelled: Callable[[], bool]
    ) -> Answered:
        key = (run.id, base)
        try:
            if self._client is None:
                self._client = open_client(self.home)
            self.post(Loading(question, key, key not in self._met))
            written = self._writing(question, key)
            answer = self._client.answer(run, [fields], base=base, written=written, cancelled=cancelled)[0]
            self._met.add(key)
            return Answered(question, key, answer.output, answer.pred, answer.score, answer.ms, answer.step)
        except WorkbenchError as error:
            return Answered(question, key, problem=f"{error.what}. {error.hint}" if error.hint else error.what)
        except Exception as error:
            return Answered(question, key, problem=f"{type(error).__name__}: {error}")

    def _writing(self, question: int, key: Key) -> Callable[[str], None]:
        """Return what tells the screen how a text grows, not at each of its tokens."""
        begun = told = 0.0
        pieces = 0

        def written(text: str) -> None:
            nonlocal begun, told, pieces
            now = time.monotonic()
            begun, pieces = begun or now, pieces + 1
            if now - told >= TOLD_EVERY:
                told = now
                self.post(Written(question, key, text, pieces, now - begun))

        return written

    def stop_writing(self) -> None:
        """End the text that is being written; its answer comes as far as it is."""
        if self._client is not None:
            self._client.stop()

    def close(self) -> None:
        """End the host, and with it a question that is still out."""
        self._closed = True
        if self._client is not None:
            self._client.close()
