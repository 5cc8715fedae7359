"""Eight processes make one store at the same moment: python -m tests.store.racing FILE

Each loads what it needs, then waits for the others; the exit code is how many failed.
"""

from __future__ import annotations

import os
import sys
from multiprocessing import get_context
from pathlib import Path

import sqlite_utils  # noqa: F401

from store.connection import prepare

PROCESSES = 8


def make(path: Path, together: object) -> None:
    together.wait()  # type: ignore[attr-defined]
    prepare(path)


def main(path: Path) -> int:
    """Return how many of the processes could not make the store."""
    fork = get_context("fork")
    together = fork.Barrier(PROCESSES)
    racers = [fork.Process(target=make, args=(path, together)) for _ in range(PROCESSES)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    return sum(racer.exitcode != 0 for racer in racers)


if __name__ == "__main__":
    os._exit(sum(main(Path(name)) for name in sys.argv[1:]))
