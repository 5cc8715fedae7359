"""What a store that another process holds costs the thread that trains: a writer takes its lock and stands still.

python -m tests.benchmarks.held_store [--seconds 60]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from store import points
from store.connection import open_store, prepare
from tests.store.support import add_run
from tests.training.test_reporter import held
from workbench.paths import Home
from workbench.training.control import Control
from workbench.training.events import Logged
from workbench.training.reporter import Reporter

STEP_SECONDS = 0.01


def told_while_held(root: Path, seconds: float) -> tuple[list[float], int]:
    """Log updates while nobody can write; return how long each took, and how many are stored afterwards."""
    home = Home(root / "home").create()
    prepare(home.store)
    with open_store(home.store) as store:
        run_id = add_run(store, uid="A1", state="starting", attempt=1, goal_key="eval/loss")
    home.run_folder("A1").mkdir()
    reporter = Reporter(home.store, home.run_folder("A1"), run_id, 1, Control())
    reporter.start()
    reporter.running()
    taken: list[float] = []
    with held(home):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            before = time.monotonic()
            reporter.put(Logged(len(taken) + 1, 0.0, 0.0, {"train/loss": 1.0}))
            taken.append(time.monotonic() - before)
            time.sleep(STEP_SECONDS)
    reporter.close("finished", None, None)
    with open_store(home.store) as store:
        return taken, len(points.curve(store, run_id, "train/loss")[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="held-") as root:
        taken, rows = told_while_held(Path(root), chosen.seconds)
    most, usual = 1000 * max(taken), 1000 * statistics.quantiles(taken, n=100)[-1]
    print(f"held for {chosen.seconds:.0f} s: an update waits {most:.1f} ms at most, {usual:.2f} ms in 99 of 100")
    print(f"{rows} of {len(taken)} rows are in the store afterwards")


if __name__ == "__main__":
    main()
