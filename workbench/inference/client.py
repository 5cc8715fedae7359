"""Ask the models of runs: starts the host on first use and speaks with it over its pipes. No torch here."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from store.runs import Run
from workbench.errors import WorkbenchError
from workbench.paths import Home
from workbench.supervision.environment import ROOT

POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Answer:
    """What the model of a run, saved after update `step`, says of one text. `ms` is its share of the batch's time."""

    run_id: int
    step: int
    output: dict[str, Any]
    ms: float


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
        texts: Sequence[str],
        *,
        timeout: float = 120,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> list[Answer]:
        """Return the answers of a run's best model to the texts; the first call starts the host (some seconds).

        Raise a WorkbenchError where there is no model, after `timeout` seconds, or when `cancelled` returns True.
        """
        with self._turn:
            self._start(timeout, cancelled)
            request = {"run": str(self._home.run_folder(run.uid)), "texts": list(texts)}
            self._send(request)
            reply = self._receive(timeout, cancelled)
        if "error" in reply:
            raise WorkbenchError(**{**reply["error"], "where": f"run #{run.id} {run.name}"})
        share = reply["ms"] / max(1, len(texts))
        return [Answer(run.id, reply["step"], output, share) for output in reply["outputs"]]

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
                env={**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"},
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


def _forward(host: subprocess.Popen[str], replies: queue.SimpleQueue[str | None]) -> None:
    assert host.stdout is not None
    for line in host.stdout:
        replies.put(line)
    replies.put(None)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
