"""Ask the Hub, in a child process with deadlines: whatever the net does, an answer or a message comes. Light.

Here alone is the net used: before a run, while its recipe is checked. Workers find what was fetched in the cache.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from workbench.catalog import cached_snapshot, hub_cache
from workbench.data.locating import hub_id
from workbench.errors import WorkbenchError
from workbench.models.files import weight_files
from workbench.recipe import Recipe
from workbench.recipe.augment import MODELS
from workbench.redaction import redact
from workbench.supervision.environment import ROOT, for_hub
from workbench.text import size

LOOK_UP_SECONDS = 9.0
"""How long the Hub has to say that it has something, the start of the process included."""

STALLED_SECONDS = 30.0
"""How long what is fetched may fail to grow by `LEAST_GROWTH`."""

LEAST_GROWTH = 64 * 1024
POLL_SECONDS = 0.1

Told = Callable[[str], None]
Cancelled = Callable[[], bool]


@dataclass(frozen=True)
class Wanted:
    """What a `setting` of a recipe wants of the Hub: a `model`, or a `data` set as `OWNER/NAME[@REVISION][#CONFIG]`."""

    kind: str
    name: str
    revision: str | None
    setting: str

    @property
    def where(self) -> str:
        return f"hub:{self.name}" if self.kind == "data" else f"{self.setting}: {self.name}"


class Unreachable(WorkbenchError):
    """The Hub gave no answer in time, or none at all."""


def host() -> str:
    """Return the name of the host that is the Hub."""
    parts = urlsplit(os.environ.get("HF_ENDPOINT") or "https://huggingface.co")
    return parts.netloc.rpartition("@")[2] or redact(parts.geturl())


def answers_within() -> float:
    """Return how many seconds the Hub takes to answer anything; raise an `Unreachable` where it does not in time."""
    begun = time.monotonic()
    with _Child({"kind": "greeting"}) as lines:
        if _next(lines, LOOK_UP_SECONDS, lambda: False) is None:
            raise Unreachable(f"{host()} does not answer within {LOOK_UP_SECONDS:.0f} s")
    return time.monotonic() - begun


def fetch_missing(
    recipe: Recipe, cache: Path, *, cancelled: Cancelled = lambda: False, told: Told = lambda words: None
) -> dict[str, str]:
    """Fetch what a recipe names of the Hub: its models where they are not in the cache, its data sets always.

    `told` hears how far a download is. Return why something could not be had anew, as its place in the recipe → reason:
    it may be in the cache. Raise a WorkbenchError where a model is neither there nor to be had.
    """
    found: dict[str, str] = {}
    offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")
    silent = "HF_HUB_OFFLINE is set" if offline else ""
    for wanted in _wanted_by(recipe):
        try:
            if silent:
                raise Unreachable(silent)
            _fetch(wanted, cache, cancelled, told)
        except WorkbenchError as error:
            if error.what == "cancelled":
                raise
            silent = silent or (error.what if isinstance(error, Unreachable) else "")
            if wanted.kind == "model":
                raise _refusal(wanted, error.what) from None
            found[wanted.where] = error.what
    return found


def _wanted_by(recipe: Recipe) -> Iterator[Wanted]:
    named = [("backbone.name", recipe.backbone.name, recipe.backbone.revision)]
    named += [(f"augment.{key}", getattr(recipe.augment, key) or "", None) for key in MODELS]
    named.append(("strategy.teacher", getattr(recipe.strategy, "teacher", None) or "", None))
    for setting, name, revision in named:
        elsewhere = not name or name.startswith(("/", "size:", "starter:", "run:"))
        if not elsewhere and not _is_whole(cached_snapshot(name, revision), recipe.starts_random):
            yield Wanted("model", name, revision, setting)
    sources = [recipe.data.train, recipe.data.validation, getattr(recipe.strategy, "texts", None)]
    sources += [also.train for also in recipe.data.also]
    for source in dict.fromkeys(each for each in sources if each and each.startswith("hub:")):
        match = hub_id(source.removeprefix("hub:"))
        yield Wanted("data", match[0], match["revision"], "data")


def _is_whole(snapshot: Path | None, starts_random: bool) -> bool:
    """Return whether a model is in the cache with the weights that it has: a download that was ended leaves less."""
    if snapshot is None or any(snapshot.parent.parent.glob("blobs/*.incomplete")):
        return False
    try:
        return bool(weight_files(snapshot))
    except (OSError, ValueError):
        return any(snapshot.glob("config.json" if starts_random else "*.bin"))


def _fetch(wanted: Wanted, cache: Path, cancelled: Cancelled, told: Told) -> None:
    """Have a child look a thing up and fetch it; see `fetching` for what it says."""
    told(f"asking {host()} for {wanted.name} …")
    with _Child({**vars(wanted), "cache": str(cache)}) as lines:
        answer = _next(lines, LOOK_UP_SECONDS, cancelled)
        if answer is None:
            raise Unreachable(f"{host()} did not answer within {LOOK_UP_SECONDS:.0f} s")
        of = f" of {size(answer['bytes'])}" if answer.get("bytes") else ""
        grown, since = 0, time.monotonic()
        while "done" not in answer:
            left = STALLED_SECONDS - (time.monotonic() - since)
            answer = _next(lines, left, cancelled)
            if answer is None:
                raise Unreachable(f"{host()} sent nothing for {STALLED_SECONDS:.0f} s")
            if (now := answer.get("fetched", grown)) >= grown + LEAST_GROWTH:
                grown, since = now, time.monotonic()
            told(f"fetching {wanted.name} from {host()}: {size(answer.get('fetched', grown))}{of}")


class _Child:
    """The lines that a child says about a request, as long as the block lasts; then it is gone, whatever it did."""

    def __init__(self, request: dict[str, Any]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "workbench.models.fetching"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            env=for_hub(os.environ),
            start_new_session=True,
            # Python looks for modules where it is started: a datasets.py beside the person must not be run.
            cwd=ROOT,
        )
        self._request = request
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def __enter__(self) -> queue.SimpleQueue[str | None]:
        threading.Thread(target=self._forward, daemon=True).start()
        return self._lines

    def __exit__(self, *exception: object) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _forward(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(self._request))
            self._process.stdin.close()
            for line in self._process.stdout:
                self._lines.put(line)
        except OSError:
            pass
        self._lines.put(None)


def _next(lines: queue.SimpleQueue[str | None], seconds: float, cancelled: Cancelled) -> dict[str, Any] | None:
    """Return the next thing that the child says, or None where it says nothing for so long; raise its error."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        if cancelled():
            raise WorkbenchError("cancelled", where="asking the Hub")
        try:
            line = lines.get(timeout=min(left, POLL_SECONDS))
        except queue.Empty:
            continue
        if line is None:
            raise Unreachable(f"the process that asks {host()} ended")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            kind = Unreachable if answer["unreachable"] else WorkbenchError
            raise kind(f"{host()}: {answer['error']}")
        return answer
    return None


def _refusal(wanted: Wanted, reason: str) -> WorkbenchError:
    folder = f"models--{wanted.name.replace('/', '--')}"
    return WorkbenchError(
        f"not in the cache, and the Hub does not give it: {reason}",
        where=wanted.where,
        hint=f"Copy the folder {folder} of a box that has it into {hub_cache()}, or name a model folder. "
        "Is the host right (HF_ENDPOINT)? A private model needs HF_TOKEN or a login.",
    )
