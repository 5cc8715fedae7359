"""The process that answers prompts: a JSON line in, a JSON line out; ends when its client does.

A request is {"run": folder, "texts": [...]}; the answer {"outputs": [...], "step", "ms"} or {"error": {...}}.
Its first line, {"ready": true}, says that the libraries are loaded.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

from workbench.errors import WorkbenchError
from workbench.inference.loaded import Loaded, load, newest_step

MODELS_KEPT = 4


class Models:
    """The models in memory, the least recently asked one dropped first; a newer one of a run takes its place."""

    def __init__(self) -> None:
        self._loaded: OrderedDict[Path, Loaded] = OrderedDict()

    def get(self, folder: Path) -> Loaded:
        """Return the newest model of a run, loaded where it is not yet."""
        kept = self._loaded.get(folder)
        if kept is None or kept.step != newest_step(folder):
            self._loaded[folder] = kept = load(folder)
        self._loaded.move_to_end(folder)
        while len(self._loaded) > MODELS_KEPT:
            self._loaded.popitem(last=False)
        return kept


def answer(models: Models, request: dict[str, Any]) -> dict[str, Any]:
    """Answer one request; whatever goes wrong is an answer too."""
    try:
        model = models.get(Path(request["run"]))
        started = time.perf_counter()
        outputs = model.answer(request["texts"])
        return {"outputs": outputs, "step": model.step, "ms": 1000 * (time.perf_counter() - started)}
    except WorkbenchError as error:
        return {"error": {"what": error.what, "where": error.where, "hint": error.hint}}
    except Exception as error:
        return {"error": {"what": f"{type(error).__name__}: {error}", "where": request.get("run", ""), "hint": ""}}


def main() -> None:
    """Serve until standard input ends."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    import torch  # noqa: F401
    from transformers import AutoModelForSequenceClassification, AutoTokenizer  # noqa: F401
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    models = Models()
    print(json.dumps({"ready": True}), file=replies, flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(models, json.loads(line))), file=replies, flush=True)


if __name__ == "__main__":
    main()
