"""Homes for the benchmarks: a store with runs, and one run that is being reported."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from store import points
from store.connection import Store, open_store, prepare
from tests.store.support import add_run
from workbench.paths import Home
from workbench.training.events import Logged
from workbench.training.loop import Control
from workbench.training.reporter import Reporter

NAMES = ("train/loss", "train/grad_norm", "train/rate", "train/examples_per_second")


@contextmanager
def new_home() -> Iterator[Home]:
    """Yield a home with an empty store; it is deleted at the end."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        home = Home(Path(folder) / "home").create()
        prepare(home.store)
        yield home


def add_runs(store: Store, count: int) -> None:
    """Add ended runs in one transaction, with the config and the summaries that a listing shows."""
    chance = random.Random(1)
    first = add_run(store, "run 0", state="finished", goal_key="eval/accuracy", best_value=0.5)
    columns = [row[1] for row in store.query("PRAGMA table_info(run)") if row[1] not in ("id", "uid", "name")]
    names = ", ".join(columns)
    with store.write() as connection:
        for number in range(1, count):
            connection.execute(
                f"INSERT INTO run(uid, name, {names}) SELECT ?, ?, {names} FROM run WHERE id=?",
                (f"BULK{number}", f"run {number}", first),
            )
        known: dict[str, int] = {}
        for number in range(count):
            points.append(connection, first + number, [("train/loss", 1, 0.0, chance.random())], known)


@contextmanager
def reporting(home: Home) -> Iterator[tuple[Reporter, int]]:
    """Yield a reporter at work for a new run, and the run's number; it is closed at the end."""
    with open_store(home.store) as store:
        uid = f"R{time.time_ns()}"
        run_id = add_run(store, "reported", uid=uid, state="starting", attempt=1)
        folder = home.run_folder(uid)
    folder.mkdir()
    reporter = Reporter(home.store, folder, run_id, 1, Control())
    reporter.start()
    reporter.running()
    try:
        yield reporter, run_id
    finally:
        reporter.close("finished", None, None)


def logged(step: int) -> Logged:
    """Return what the loop tells of one update."""
    return Logged(step, step / 100, step / 10, dict.fromkeys(NAMES, 0.5 + step * 1e-6))
