"""The process that answers prompts: a JSON line in, JSON lines out; ends when its client does.

A request is {"run": folder, "rows": [{role: value}, ...]}. With "base" the model is asked as it was before training,
with "stream" the text that is written is told as it grows, in lines {"written": text}. The answer is {"answers":
[...], "step", "ms"} or {"error": {...}}. With "file" and "cache" in the place of "rows" the rows of a file are
answered, in lines {"answers": [...], "rows": [...], "of": how many in all, "step", "ms"}. {"stop": true} ends the
writing of an answer, which then comes as far as it is. The first line, {"ready": true}, says that the libraries are
loaded.
"""

from __future__ import annotations

import json
import os
import queue
import resource
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TextIO

from workbench.errors import WorkbenchError
from workbench.inference.loaded import Loaded, load, newest_step
from workbench.redaction import redact
from workbench.tasks.task import Watch

MODELS_KEPT = 7
ROWS_AT_ONCE = 256

Tell = Callable[[dict[str, Any]], None]


class Models:
    """The models in memory, the least recently asked one dropped first; a newer one of a run takes its place."""

    def __init__(self) -> None:
        self._loaded: OrderedDict[tuple[Path, bool], Loaded] = OrderedDict()

    def get(self, folder: Path, base: bool) -> Loaded:
        """Return the newest model of a run, or its base, loaded where it is not yet."""
        kept = self._loaded.get((folder, base))
        if kept is None or (not base and kept.step != newest_step(folder)):
            self._loaded[folder, base] = kept = load(folder, base=base)
        self._loaded.move_to_end((folder, base))
        while len(self._loaded) > MODELS_KEPT:
            self._loaded.popitem(last=False)
        return kept


def answer(models: Models, request: dict[str, Any], tell: Tell, stop: threading.Event) -> None:
    """Answer one request; whatever goes wrong is an answer too."""
    try:
        model = models.get(Path(request["run"]), bool(request.get("base")))
        watch = _watch(model, tell if request.get("stream") else None, stop)
        if "rows" in request:
            tell(_answers(model, request["rows"], watch))
            return
        rows = model.read(request["file"], Path(request["cache"]))
        for start in range(0, len(rows), ROWS_AT_ONCE):
            chunk = rows[start : start + ROWS_AT_ONCE]
            tell(_answers(model, chunk, watch, start) | {"rows": chunk, "of": len(rows)})
    except WorkbenchError as error:
        tell({"error": {"what": error.what, "where": error.where, "hint": error.hint}})
    except Exception as error:
        tell(
            {"error": {"what": redact(f"{type(error).__name__}: {error}"), "where": request.get("run", ""), "hint": ""}}
        )


def _answers(model: Loaded, rows: Sequence[dict[str, Any]], watch: Watch, before: int = 0) -> dict[str, Any]:
    started = time.perf_counter()
    answers = model.answer(rows, watch, before)
    return {"answers": answers, "step": model.step, "ms": 1000 * (time.perf_counter() - started)}


def _watch(model: Loaded, tell: Tell | None, stop: threading.Event) -> Watch:
    def watch(tokens: list[int]) -> bool:
        if tell is not None:
            tell({"written": model.tokenizer.decode(tokens, skip_special_tokens=True)})
        return stop.is_set()

    return watch


def read_requests(asked: TextIO, requests: queue.SimpleQueue[dict[str, Any] | None], stop: threading.Event) -> None:
    """Put what the client asks into the queue, and None at its end; a stop is heard while an answer is written."""
    for line in asked:
        request = json.loads(line)
        if "stop" in request:
            stop.set()
        else:
            stop.clear()
            requests.put(request)
    stop.set()
    requests.put(None)


def main() -> None:
    """Serve until standard input ends."""
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # A library that asks or prints something has neither the requests nor the replies to do it with.
    asked, replies = os.fdopen(os.dup(0), encoding="utf-8"), os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    import torch  # noqa: F401
    from transformers import AutoModelForSequenceClassification, AutoTokenizer  # noqa: F401
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()

    def tell(reply: dict[str, Any]) -> None:
        print(json.dumps(reply), file=replies, flush=True)

    models, stop = Models(), threading.Event()
    requests: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
    threading.Thread(target=read_requests, args=(asked, requests, stop), daemon=True).start()
    tell({"ready": True})
    while (request := requests.get()) is not None:
        answer(models, request, tell, stop)


if __name__ == "__main__":
    main()
