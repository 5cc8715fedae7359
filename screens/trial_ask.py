"""Asking models from a screen: one question at a time in a thread, answers as they come."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from textual.message import Message

from store.runs import Run
from workbench.errors import WorkbenchError
from workbench.paths import Home


class Answering(Protocol):
    """What is needed of the client of the inference host."""

    def answer(
        self,
        run: Run,
        rows: Sequence[Mapping[str, Any]],
        *,
        timeout: float = 120,
        cancelled: Callable[[], bool] = ...,
    ) -> Sequence[Any]: ...

    def close(self) -> None: ...


@dataclass
class Loading(Message):
    """A run is being asked; its model has to be loaded where it is asked for the first time."""

    question: int
    run_id: int
    first: bool


@dataclass
class Answered(Message):
    """A run has answered, or cannot."""

    question: int
    run_id: int
    output: Mapping[str, Any] | None
    ms: float = 0.0
    step: int | None = None
    problem: str = ""


@dataclass
class AllAnswered(Message):
    """Every run that was asked has answered or said why not."""

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
        self._met: set[int] = set()

    def ask(self, question: int, runs: Sequence[Run], text: str, cancelled: Callable[[], bool]) -> None:
        """Ask the runs one after another; blocks, so call it in a thread."""
        with self._turn:
            for run in runs:
                if cancelled() or self._closed:
                    return
                self.post(self._one(question, run, text, cancelled))
            self.post(AllAnswered(question))

    def _one(self, question: int, run: Run, text: str, cancelled: Callable[[], bool]) -> Answered:
        try:
            if self._client is None:
                self._client = open_client(self.home)
            self.post(Loading(question, run.id, run.id not in self._met))
            answer = self._client.answer(run, [{"text": text}], cancelled=cancelled)[0]
            self._met.add(run.id)
            return Answered(question, run.id, answer.output, answer.ms, answer.step)
        except WorkbenchError as error:
            return Answered(question, run.id, None, problem=f"{error.what}. {error.hint}" if error.hint else error.what)
        except Exception as error:
            return Answered(question, run.id, None, problem=f"{type(error).__name__}: {error}")

    def close(self) -> None:
        """End the host, and with it a question that is still out."""
        self._closed = True
        if self._client is not None:
            self._client.close()
