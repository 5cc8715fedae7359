"""Ask the models of runs: starts the host on first use and speaks with it over its pipes. No torch here."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from store.runs import Run
from workbench.errors import WorkbenchError
from workbench.paths import Home
from workbench.supervision.environment import ROOT, allowed

POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Answer:
    """What the model of a run, saved after update `step`, says of one row. `ms` is its share of the batch's time.

    `output` is the task's whole answer, `pred` and `score` its short form; `loss` (in nats) and `correct` are there
    where the row has the right answer.
    """

    run_id: int
    step: int
    pred: str
    score: float | None
    output: dict[str, Any]
    ms: float
    loss: float | None = None
    correct: bool | None = None


class Client:
    """One host process at most; `answer` may be called from any thread, one call at a time gets through."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._host: subprocess.Popen[str] | None = None
        self._replies: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._turn = threading.Lock()

    def answer(
        self,
        run: Run,
        rows: Sequence[Mapping[str, Any]],
        *,
        base: bool = False,
        written: Callable[[str], None] | None = None,
        timeout: float = 120,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> list[Answer]:
        """Return the answers of a run's best model to rows (role → value); the first call starts the host (seconds).

        With `base` the model is asked as it was before its first update; `written` is told the text of the first
        answer as it grows, where the task writes one. Raise a WorkbenchError where there is no model, after `timeout`
        seconds without a word, or when `cancelled` returns True.
        """
        with self._turn:
            self._start(timeout, cancelled)
            folder = str(self._home.run_folder(run.uid))
            self._send(
                {"run": folder, "rows": [dict(row) for row in rows], "base": base, "stream": written is not None}
            )
            while "written" in (reply := self._receive(timeout, cancelled)):
                if written is not None:
                    written(reply["written"])
        return _answers(run, reply)

    def answer_file(
        self,
        run: Run,
        file: str,
        *,
        timeout: float = 600,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Iterator[tuple[list[dict[str, Any]], list[Answer], int]]:
        """Yield the rows of a file with the answers of a run's best model, some at a time, and how many rows there are.

        Its columns are found as those of the training file were. Raise a WorkbenchError as `answer` does.
        """
        with self._turn:
            self._start(timeout, cancelled)
            request = {"run": str(self._home.run_folder(run.uid)), "file": file, "cache": str(self._home.cache)}
            self._send(request)
            done, of = 0, 1
            while done < of:
                reply = self._receive(timeout, cancelled)
                answers = _answers(run, reply)
                done, of = done + len(answers), reply["of"]
                yield reply["rows"], answers, of

    def stop(self) -> None:
        """End the writing of an answer, from any thread; it then comes as far as it is written."""
        if self._host is not None:
            with contextlib.suppress(WorkbenchError):
                self._send({"stop": True})

    def close(self) -> None:
        """End the host."""
        host, self._host = self._host, None
        if host is not None:
            host.kill()
            host.wait()

    def _start(self, timeout: float, cancelled: Callable[[], bool]) -> None:
        if self._host is not None and self._host.poll() is None:
            return
        self._home.create()
        with open(self._home.logs / "inference.log", "ab", opener=_private) as log:
            self._host = subprocess.Popen(
                [sys.executable, "-m", "workbench.inference.host"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                encoding="utf-8",
                env=allowed(os.environ),
                start_new_session=True,
                # Python looks for modules where it is started: a torch.py beside the person must not be run.
                cwd=ROOT,
            )
        self._replies = queue.SimpleQueue()
        threading.Thread(target=_forward, args=(self._host, self._replies), daemon=True).start()
        self._receive(timeout, cancelled)

    def _send(self, request: dict[str, Any]) -> None:
        assert self._host is not None
        assert self._host.stdin is not None
        try:
            self._host.stdin.write(json.dumps(request) + "\n")
            self._host.stdin.flush()
        except OSError:
            raise self._ended() from None

    def _receive(self, timeout: float, cancelled: Callable[[], bool]) -> dict[str, Any]:
        deadline = time.monotonic() + timeout
        while True:
            try:
                line = self._replies.get(timeout=POLL_SECONDS)
            except queue.Empty:
                if cancelled():
                    self.close()
                    raise WorkbenchError("cancelled") from None
                if time.monotonic() > deadline:
                    self.close()
                    raise WorkbenchError(f"no answer within {timeout:.0f} s", hint="Is the box busy?") from None
                continue
            if line is None:
                raise self._ended()
            reply: dict[str, Any] = json.loads(line)
            return reply

    def _ended(self) -> WorkbenchError:
        self.close()
        log = self._home.logs / "inference.log"
        return WorkbenchError("the process that answers prompts ended", where=str(log), hint="Try again; see its log.")


def _answers(run: Run, reply: dict[str, Any]) -> list[Answer]:
    if "error" in reply:
        where = reply["error"]["where"] or f"run #{run.id} {run.name}"
        raise WorkbenchError(**{**reply["error"], "where": where})
    share = reply["ms"] / max(1, len(reply["answers"]))
    return [Answer(run.id, reply["step"], ms=share, **answer) for answer in reply["answers"]]


def _forward(host: subprocess.Popen[str], replies: queue.SimpleQueue[str | None]) -> None:
    assert host.stdout is not None
    for line in host.stdout:
        replies.put(line)
    replies.put(None)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
