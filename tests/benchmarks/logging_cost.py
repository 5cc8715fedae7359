"""What logging costs the thread that trains: a value told to the reporter, and a whole step with it.

The steps are real ones of a tiny model; ways take turns in short blocks, so that they see the same machine.

    python -m tests.benchmarks.logging_cost
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from sqlite_utils import Database

from store import points
from store.connection import open_store
from tests.benchmarks.homes import NAMES, logged, new_home, reporting
from tests.making import tiny_model
from tests.store.support import add_run
from workbench.text import number, table

PUTS = 20_000
BLOCKS = 30
BLOCK = 20


def microseconds_a_value() -> tuple[float, float]:
    """Return median and 99th percentile of what one value costs `put`, while the reporter writes at full tilt."""
    with new_home() as home, reporting(home) as (reporter, _):
        taken = []
        for step in range(PUTS):
            event = logged(step)
            began = time.perf_counter()
            reporter.put(event)
            taken.append(1e6 * (time.perf_counter() - began) / len(NAMES))
    return statistics.median(taken), statistics.quantiles(taken, n=100)[98]


class Steps:
    """Updates of a tiny classifier."""

    def __init__(self) -> None:
        torch.set_num_threads(1)
        self.model = tiny_model("bert", hidden_size=64, intermediate_size=128)
        self.optimiser = torch.optim.AdamW(self.model.parameters())
        self.batch = {"input_ids": torch.randint(5, 300, (16, 32)), "labels": torch.randint(0, 2, (16,))}
        self.number = 0

    def take(self, tell: Callable[[int], None]) -> float:
        """Do one update, tell it, and return the milliseconds of both."""
        began = time.perf_counter()
        self.model(**self.batch).loss.backward()
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.number += 1
        tell(self.number)
        return 1000 * (time.perf_counter() - began)


def milliseconds_a_step() -> dict[str, list[float]]:
    """Return the times of single steps by the way in which they are logged."""
    with new_home() as home, reporting(home) as (reporter, _), open_store(home.store) as store:
        run_id, known, plain = add_run(store), dict[str, int](), Database(home.root / "plain.db")
        plain.enable_wal()

        def commit(step: int) -> None:
            with store.write() as connection:
                points.append(connection, run_id, [(name, step, 1.0, 0.5) for name in NAMES], known)

        def insert(step: int) -> None:
            plain["point"].insert_all({"metric": name, "step": step, "value": 0.5} for name in NAMES)

        ways: dict[str, Callable[[int], None]] = {
            "no logging": lambda step: None,
            "reporter": lambda step: reporter.put(logged(step)),
            "a commit a step": commit,
            "sqlite-utils, insert_all a step": insert,
        }
        steps, taken = Steps(), {name: list[float]() for name in ways}
        for block in range(BLOCKS):
            order = list(ways)[block % len(ways) :] + list(ways)[: block % len(ways)]
            for name in order:
                taken[name] += [steps.take(ways[name]) for _ in range(BLOCK)]
        return {name: times[BLOCK:] for name, times in taken.items()}


def main() -> None:
    """Print two tables."""
    median, high = microseconds_a_value()
    print("\n".join(table([["Reporter.put", number(median), number(high)]], ["µs per value", "median", "99 %"])))
    taken = milliseconds_a_step()
    base = statistics.median(taken["no logging"])
    rows = [
        [name, number(statistics.median(times)), f"{100 * (statistics.median(times) / base - 1):+.1f} %",
         number(statistics.mean(times))]
        for name, times in taken.items()
    ]  # fmt: skip
    print("\n" + "\n".join(table(rows, ["ms per step", "median", "slower by", "mean"], ["left", *["right"] * 3])))


if __name__ == "__main__":
    main()
