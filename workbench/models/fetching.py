"""The child of `hub`: looks one thing up on the Hub and fetches it, the only process that has the net and a token.

A request on stdin, JSON lines on stdout: {"found": true, "bytes": N or null} when the Hub has it, {"fetched": bytes}
twice a second, {"done": true} at the end; or {"error": words, "unreachable": whether the Hub was not heard}.
"""

from __future__ import annotations

import json
import os
import resource
import select
import sys
import threading
import time
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from workbench.catalog import hub_cache
from workbench.data.locating import hub_id
from workbench.redaction import redact

MODEL_FILES = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")
"""What is fetched of a model: no pickles, no code."""

TELL_SECONDS = 0.5

Say = Callable[[dict[str, Any]], None]


def fetch_model(request: dict[str, Any], say: Say) -> None:
    """Fetch the files of a model that are data into the Hub's cache."""
    from huggingface_hub import HfApi, snapshot_download

    name, revision = request["name"], request["revision"]
    info = HfApi().model_info(name, revision=revision, files_metadata=True)
    files = info.siblings or []
    wanted = [each.size or 0 for each in files if any(fnmatch(each.rfilename, kind) for kind in MODEL_FILES)]
    say({"found": True, "bytes": sum(wanted)})
    watch([hub_cache() / f"models--{name.replace('/', '--')}"], say)
    snapshot_download(name, revision=revision, allow_patterns=list(MODEL_FILES))


def greet(request: dict[str, Any], say: Say) -> None:
    """Ask the Hub for anything at all."""
    from huggingface_hub import HfApi

    next(iter(HfApi().list_models(limit=1)), None)


def fetch_data(request: dict[str, Any], say: Say) -> None:
    """Fetch all splits of a data set into the cache of the home."""
    from huggingface_hub import HfApi

    from workbench.data.readers.hub import fetch

    match, cache = hub_id(request["name"]), Path(request["cache"])
    owner, name = match["owner"], match["name"]
    HfApi().dataset_info(f"{owner}/{name}", revision=request["revision"])
    say({"found": True, "bytes": None})
    watch([hub_cache() / f"datasets--{owner}--{name}", cache / f"{owner}___{name.lower()}"], say)
    fetch(match, cache)


def watch(folders: list[Path], say: Say) -> None:
    """Say again and again, from now on, by how many bytes these folders grew."""
    begin = _bytes(folders)

    def tell() -> None:
        while True:
            time.sleep(TELL_SECONDS)
            say({"fetched": max(0, _bytes(folders) - begin)})

    threading.Thread(target=tell, daemon=True).start()


def _bytes(folders: list[Path]) -> int:
    total = 0
    for folder in folders:
        for place, _, files in os.walk(folder):
            for file in files:
                try:
                    total += os.lstat(os.path.join(place, file)).st_size
                except OSError:
                    continue
    return total


def leave_with(descriptor: int) -> None:
    """End this process when nobody can read any more what it says there: who asked has gone."""
    poller = select.poll()
    poller.register(descriptor, 0)
    poller.poll()
    os._exit(1)


def main() -> None:
    """Answer one request."""
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    request, lock = json.load(sys.stdin), threading.Lock()
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    threading.Thread(target=leave_with, args=(replies.fileno(),), daemon=True).start()

    def say(answer: dict[str, Any]) -> None:
        with lock:
            print(json.dumps(answer), file=replies, flush=True)

    try:
        {"model": fetch_model, "data": fetch_data, "greeting": greet}[request["kind"]](request, say)
        say({"done": True})
    except Exception as error:
        say({"error": _words(error), "unreachable": _unheard(error)})
    os._exit(0)


def _words(error: BaseException) -> str:
    """Return the first lines of what went wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return redact(" ".join(lines[:2]))[:300] or type(error).__name__


def _unheard(error: BaseException) -> bool:
    """Return whether an error is of the way to the Hub; its client for HTTP is another one in each version."""
    return any(kind.__name__ in ("TransportError", "ConnectionError", "TimeoutError") for kind in type(error).__mro__)


if __name__ == "__main__":
    main()
