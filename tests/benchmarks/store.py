"""What the store can do: points a second from one writer, a long list of runs, a long curve.

Beside it plain sqlite-utils, one insert_all a step. Every figure is a median.

    python -m tests.benchmarks.store
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

from sqlite_utils import Database

from store import points, runs
from store.connection import Store, open_store
from tests.benchmarks.homes import NAMES, add_runs, new_home
from tests.store.support import add_run
from workbench.text import count, duration, number, table

ROUNDS = 9
STEPS = 200
FLUSH = 25
"""Steps in one flush: what a loop of 250 steps a second tells within 0.1 s."""

RUNS = 10_000
CURVE = 10_000


def seconds(work: Callable[[], object]) -> float:
    """Return the median time of some rounds of `work`."""
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


class Ours:
    """Points written to the store, `flush` steps in one transaction."""

    def __init__(self, store: Store, flush: int) -> None:
        self.store, self.flush, self.step, self.known = store, flush, 0, dict[str, int]()
        self.run_id = add_run(store)

    def __call__(self) -> None:
        for _ in range(STEPS // self.flush):
            rows = [(name, self.step + offset, 1.0, 0.5) for offset in range(self.flush) for name in NAMES]
            self.step += self.flush
            with self.store.write() as connection:
                points.append(connection, self.run_id, rows, self.known)


class Plain:
    """The same values as rows of a table that sqlite-utils makes, an insert_all a step; no summaries."""

    def __init__(self, path: Path) -> None:
        self.db, self.step = Database(path), 0
        self.db.enable_wal()

    def __call__(self) -> None:
        for _ in range(STEPS):
            self.db["point"].insert_all(
                {"run": 1, "metric": name, "step": self.step, "ts": 1.0, "value": 0.5} for name in NAMES
            )
            self.step += 1


def main() -> None:
    """Print two tables."""
    with new_home() as home, open_store(home.store) as store:
        plain = Plain(home.root / "plain.db")
        writers = {
            f"store, {FLUSH} steps a flush": Ours(store, FLUSH),
            "store, a commit a step": Ours(store, 1),
            "sqlite-utils, insert_all a step": plain,
        }
        speeds = {name: STEPS * len(NAMES) / seconds(write) for name, write in writers.items()}
        baseline = speeds["sqlite-utils, insert_all a step"]
        rows = [[name, count(round(speed)), number(speed / baseline)] for name, speed in speeds.items()]
        print("\n".join(table(rows, ["one writer", "points/s", "ratio"], ["left", "right", "right"])))
        add_runs(store, RUNS)
        long = add_run(store)
        with store.write() as connection:
            points.append(connection, long, [("train/loss", step, 1.0, 0.5) for step in range(CURVE)], {})
        reads = {
            f"all of {count(RUNS)} runs": seconds(lambda: runs.listing(store)),
            "the newest 50": seconds(lambda: runs.listing(store, limit=50)),
            f"a curve of {count(CURVE)} points, live": seconds(lambda: points.curve(store, long, "train/loss")),
        }
        points.pack(store, long)
        reads[f"a curve of {count(CURVE)} points, packed"] = seconds(lambda: points.curve(store, long, "train/loss"))
        print("\n" + "\n".join(table([[name, duration(taken) if taken >= 0.01 else f"{1000 * taken:.2f} ms"]
                                      for name, taken in reads.items()], ["reading", "median"])))  # fmt: skip


if __name__ == "__main__":
    main()
