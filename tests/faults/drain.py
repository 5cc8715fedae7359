"""Many queued runs drain with no screen open and nobody looking: only ending runs start the next ones.

`python -m tests.faults.drain --runs 1000` queues runs that train nothing in a home in a temporary folder, lets the
queue go on once, and looks on without touching it. One run in ten fails. It says what a run and a step cost.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from store import runs
from store.connection import Store, open_store, prepare, read_store
from store.runs import ENDED
from tests.workbench.supervision.support import end_all, recipe
from workbench.paths import Home
from workbench.supervision import dispatch, folders, locks, queue

STALLED = 60.0
"""Seconds without one more run ended after which the queue counts as stuck."""
FAILING = 10
"""Every so many-th run fails."""


@dataclass(frozen=True)
class Outcome:
    """How the runs ended; seconds in all, and of single steps of the queue while all of them waited."""

    states: Counter[str]
    seconds: float
    steps: list[float]
    in_order: bool


def drain(root: Path, size: int, slots: int = 2) -> Outcome:
    """Queue `size` runs in a home under `root`, let them drain, and return what came of it."""
    os.environ["WORKBENCH_WORKER_MODULE"] = "tests.faults.fake_worker"
    home = Home(root / "home").create()
    prepare(home.store)
    _queue_all(home, size)
    os.environ["WORKBENCH_SLOTS"] = ",".join(["cpu"] * slots)
    steps = _seconds_of_steps(home)
    begun = time.monotonic()
    queue.advance(home)
    with read_store(home.store) as store:
        try:
            _look_on(store, size)
        finally:
            end_all(home)
        seconds = time.monotonic() - begun
        ended = runs.listing(store)
        started = [run.id for run in sorted(ended, key=lambda run: (run.started or 0.0, run.id))]
    return Outcome(Counter(run.state for run in ended), seconds, steps, started == sorted(started))


def _queue_all(home: Home, size: int) -> None:
    given = {name: recipe(name) for name in ("quick", "exit")}
    with dispatch.dispatch_lock(home), open_store(home.store) as store:
        folders.settle(home, store)
        for number in range(size):
            queue._add(home, store, given["exit" if number % FAILING == 0 else "quick"], None, None)


def _seconds_of_steps(home: Home, times: int = 10) -> list[float]:
    """Return what a step costs at worst: a slot is free, and all that are looked at for it still have a process."""
    with read_store(home.store) as store:
        claims = [locks.take_claim(home.run_folder(run.uid)) for run in runs.queued(store)[: dispatch.LOOK_AHEAD]]
    found = []
    for _ in range(times):
        begun = time.monotonic()
        queue.advance(home)
        found.append(time.monotonic() - begun)
    for claim in claims:
        assert claim is not None
        os.close(claim)
    return found


def _look_on(store: Store, size: int) -> None:
    """Return when all have ended; raise a TimeoutError where none more does."""
    seen, changed = -1, time.monotonic()
    while seen < size:
        marks = ", ".join("?" * len(ENDED))
        ended = store.query(f"SELECT count(*) FROM run WHERE state IN ({marks})", ENDED)[0][0]
        if ended != seen:
            seen, changed = ended, time.monotonic()
        if time.monotonic() - changed > STALLED:
            raise TimeoutError(f"the queue stands still: {seen} of {size} runs have ended")
        time.sleep(0.2)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--slots", type=int, default=2)
    chosen = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="drain-"))
    try:
        outcome = drain(root, chosen.runs, chosen.slots)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    step = 1000 * max(outcome.steps)
    print(f"{chosen.runs} runs on {chosen.slots} slots in {outcome.seconds:.1f} s: {dict(outcome.states)}")
    each = 1000 * outcome.seconds / chosen.runs
    print(f"{each:.0f} ms a run; a step of the queue {step:.1f} ms at most while all wait")
    print("started in their order" if outcome.in_order else "NOT started in their order")
    failing = -(-chosen.runs // FAILING)
    whole = outcome.states == {"finished": chosen.runs - failing, "failed": failing}
    return 0 if whole and outcome.in_order and step < 100 else 1


if __name__ == "__main__":
    sys.exit(main())
