"""How long after a worker's SIGKILL its death and the cause stand in the store, and on the screen of a real terminal.

python -m tests.benchmarks.death [--times 5]
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from signal import SIGKILL

from store import runs
from store.connection import open_store
from tests.faults.kills import make
from tests.terminal import Terminal
from workbench.supervision import locks, queue

SHOWN = "killed by SIGKILL"


def seconds_to_the_truth(root: Path) -> tuple[float, float, str]:
    """Kill a training worker; return the seconds until its run is crashed in the store and on the screen, and why."""
    trial = make(root, "full", threads=1)
    os.environ["WORKBENCH_SLOTS"] = "cpu"
    env = {"WORKBENCH_HOME": str(trial.home.root), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with (
        open_store(trial.home.store) as store,
        Terminal([sys.executable, "-m", "workbench"], env | {"WORKBENCH_SLOTS": "cpu"}, size=(120, 40)) as terminal,
    ):
        queue.advance(trial.home)
        terminal.send("3")
        while (run := runs.get(store, trial.run_id)) is None or run.step < 3:
            terminal.read(0.01)
        killed = time.monotonic()
        locks.signal_worker(trial.folder, SIGKILL)
        stored = shown = 0.0
        while not stored or not shown:
            run = runs.get(store, trial.run_id)
            if not stored and run is not None and not run.active:
                stored = time.monotonic() - killed
            terminal.read(0.005)
            if SHOWN in terminal.screen():
                shown = time.monotonic() - killed
    assert run is not None
    return stored, shown, f"{run.state}: {run.error}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=5)
    times = parser.parse_args().times
    root = Path(tempfile.mkdtemp(prefix="death-"))
    measured = [seconds_to_the_truth(root / str(number)) for number in range(times)]
    for place, took in (("store", [each[0] for each in measured]), ("screen", [each[1] for each in measured])):
        middle, worst = 1000 * statistics.median(took), 1000 * max(took)
        print(f"from SIGKILL to the truth, {place}: median {middle:.0f} ms, slowest {worst:.0f} ms")
    print(measured[-1][2])


if __name__ == "__main__":
    main()
