"""How long after a worker's SIGKILL its death and the cause stand in the store, where screens see them 0.25 s later.

python -m tests.benchmarks.death [--times 5]
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import tempfile
import time
from pathlib import Path

from store import runs
from store.connection import open_store
from tests.faults.kills import make
from workbench.supervision import locks, queue


def seconds_to_the_truth(root: Path) -> tuple[float, str]:
    """Kill a training worker; return the seconds until its run is crashed, and the cause that is given."""
    trial = make(root, "full", threads=1)
    os.environ["WORKBENCH_SLOTS"] = "cpu"
    queue.advance(trial.home)
    with open_store(trial.home.store) as store:
        while (run := runs.get(store, trial.run_id)) is None or run.step < 3:
            time.sleep(0.01)
        killed = time.monotonic()
        locks.signal_worker(trial.folder, signal.SIGKILL)
        while (run := runs.get(store, trial.run_id)) is None or run.active:
            time.sleep(0.002)
    return time.monotonic() - killed, f"{run.state}: {run.error}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5)
    times = parser.parse_args().times
    root = Path(tempfile.mkdtemp(prefix="death-"))
    measured = [seconds_to_the_truth(root / str(number)) for number in range(times)]
    took = [1000 * seconds for seconds, _ in measured]
    print(
        f"from SIGKILL to the truth in the store: median {statistics.median(took):.0f} ms, slowest {max(took):.0f} ms"
    )
    print(measured[-1][1])


if __name__ == "__main__":
    main()
