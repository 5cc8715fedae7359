"""A worker whose libraries fail with secrets in their words."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

from workbench.training import worker


def train(*_: Any) -> Iterator[Any]:
    """Fail as a client of a server does that was given a token."""
    canary = "Canary" + "0123456789" * 3
    yield from ()
    raise RuntimeError(
        f"401 for https://me:{canary}@host/x?token={canary}: Authorization: Bearer {canary}, hf_{canary}"
    )


if __name__ == "__main__":
    os.environ.pop("WORKBENCH_WORKER_MODULE")
    worker.train = train
    worker.main(sys.argv[1:])
