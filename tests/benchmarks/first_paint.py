"""How long from the command to the first thing on the screen, on a real pty: python -m tests.benchmarks.first_paint"""

from __future__ import annotations

import importlib.util
import statistics
import sys
import time

from store.connection import open_store
from tests.benchmarks.homes import add_runs, new_home
from tests.terminal import Terminal
from workbench.text import count, duration, table

STARTS = 7
STORES = (0, 1, 1000, 10_000)
LAST_RUN = "run {}"


def starts(runs: int) -> tuple[list[float], list[float]]:
    """Return the seconds to the first paint and to the newest run's name, of several starts."""
    first, listed = [], []
    with new_home() as home:
        if runs:
            with open_store(home.store) as store:
                add_runs(store, runs)
        for _ in range(STARTS):
            began = time.monotonic()
            with Terminal([sys.executable, "-m", "workbench"], {"WORKBENCH_HOME": str(home.root)}, (120, 40)) as shown:
                shown.read_until(lambda screen: bool(screen.strip()))
                assert shown.first_paint is not None
                first.append(shown.first_paint)
                if runs:
                    shown.read_until(LAST_RUN.format(runs - 1), timeout=30)
                    listed.append(time.monotonic() - began)
    return first, listed


def main() -> None:
    """Print one line per size of the store."""
    if importlib.util.find_spec("screens.app") is None:
        print("there are no screens to open")
        return
    rows = []
    for runs in STORES:
        first, listed = starts(runs)
        shown = duration(statistics.median(listed)) if listed else "—"
        rows.append([count(runs), duration(statistics.median(first)), duration(max(first)), shown])
    print("\n".join(table(rows, ["runs", "first paint", "slowest", "newest run shown"], ["right"] * 4)))


if __name__ == "__main__":
    main()
