"""How long from a logged value to the screens' feed having it: python -m tests.benchmarks.point_latency"""

from __future__ import annotations

import importlib.util
import random
import statistics
import threading
import time

from tests.benchmarks.homes import logged, new_home, reporting
from workbench.text import duration, table

POINTS = 60


def latencies() -> list[float]:
    """Return the seconds of each of some points, told at random moments."""
    from screens.feed import Feed, TraceChanged

    chance, arrived = random.Random(1), threading.Event()
    with new_home() as home, reporting(home) as (reporter, run_id):
        feed = Feed(home, lambda message: arrived.set() if isinstance(message, TraceChanged) else None)
        feed.watch(run_id)
        feed.start()
        taken = []
        for step in range(1, POINTS + 1):
            time.sleep(chance.uniform(0.3, 0.8))
            began = time.perf_counter()
            reporter.put(logged(step))
            while not _has(feed, run_id, step):
                arrived.wait(0.002)
                arrived.clear()
            taken.append(time.perf_counter() - began)
        feed.close()
    return taken


def _has(feed: object, run_id: int, step: int) -> bool:
    trace = feed.traces.get(run_id)  # type: ignore[attr-defined]
    curve = trace and trace.curves.get("train/loss")
    return bool(curve and curve.steps and curve.steps[-1] >= step)


def main() -> None:
    """Print one line."""
    if importlib.util.find_spec("screens.feed") is None:
        print("there is no feed to read through")
        return
    taken = latencies()
    row = [duration(statistics.median(taken)), duration(statistics.quantiles(taken, n=20)[18]), duration(max(taken))]
    print("\n".join(table([row], ["from put to feed: median", "95 %", "slowest"])))


if __name__ == "__main__":
    main()
