"""Fine-tune all-MiniLM-L6-v2 on SST-2 by eight strategies at 200, 2 000 and 20 000 labels, three seeds each.

Prints accuracy on the 872 validation sentences after the last update (mean ± deviation over the seeds; nothing is
chosen on them), time and trainable share. All runs are one group of the home: stop the script, or the machine, and the
same command goes on with what is not done.

    python -m tests.benchmarks.strategies --home DIR [--sizes 200,2000,20000] [--seeds 1,2,3] [--threads 1] [--table]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from store import points, runs
from store.connection import Store, read_store
from store.runs import Run
from tests.shared import MINILM, SST2
from workbench.commands.follow import progress_line
from workbench.paths import Home
from workbench.recipe import Recipe, parse
from workbench.supervision import queue
from workbench.text import duration, table

GROUP = "sst2-strategies"
GOAL = "eval/accuracy"
EPOCHS = {200: 10, 2000: 4, 20_000: 1}
"""Passes over the labels: the more of them, the fewer."""

STRATEGIES: dict[str, dict[str, Any]] = {
    "full": {"name": "full"},
    "step-wise": {"name": "gradual"},
    "layer-wise decay": {"name": "layer-decay"},
    "head only": {"name": "head"},
    "LoRA": {"name": "lora"},
    "bias only": {"name": "bias"},
    "from scratch": {"name": "scratch"},
    "pretrain, then full": {"name": "pretrain-first", "texts": str(SST2 / "train.jsonl.gz"), "rows": 20_000},
}
WAIT_SECONDS = 2.0


def recipe(strategy: dict[str, Any], rows: int, seed: int, threads: int) -> Recipe:
    """Return the recipe of one run: evaluated after its last update alone."""
    return parse(
        {
            "name": f"{strategy['name']}-{rows}-{seed}",
            "seed": seed,
            "task": "sentiment",
            "data": {
                "train": str(SST2 / "train.jsonl.gz"),
                "validation": str(SST2 / "validation.jsonl.gz"),
                "rows": rows,
            },
            "backbone": str(MINILM),
            "strategy": strategy,
            "training": {"epochs": EPOCHS.get(rows, 1), "max_length": 64},
            "evaluation": {"every": 1_000_000},
            "checkpoint": {"every": 500},
            "hardware": {"device": "cpu", "threads": threads},
        }
    )


def begin(home: Home, sizes: Sequence[int], seeds: Sequence[int], threads: int) -> None:
    """Queue what the home has not got yet, and resume what ended early."""
    known = _runs(home)
    wanted = [recipe(each, rows, seed, threads) for rows in sizes for seed in seeds for each in STRATEGIES.values()]
    names = {run.name for run in known}
    new = [each for each in wanted if each.name not in names]
    if new:
        queue.submit_group(home, new, GROUP)
    for run in known:
        if run.state in queue.RESUMABLE:
            queue.resume(home, run)


def wait(home: Home) -> None:
    """Keep the queue going until every run of the group has ended, and say what trains."""
    said = ""
    while any(run.state in runs.OPEN for run in _runs(home)):
        queue.advance(home)
        with read_store(home.store) as store:
            active = [run for run in runs.listing(store) if run.active]
            line = "   ".join(progress_line(store, run) for run in active)
        if line.partition("loss")[0] != said:
            said = line.partition("loss")[0]
            print(line, flush=True)
        time.sleep(WAIT_SECONDS)


def print_table(home: Home, sizes: Sequence[int]) -> None:
    """Print a row for each strategy, with what is there so far."""
    rows = []
    with read_store(home.store) as store:
        done = [run for run in runs.listing(store) if run.state == "finished"]
        for title, strategy in STRATEGIES.items():
            line, shares, seconds = [title], [], []
            for size in sizes:
                found = [run for run in done if run.name.rpartition("-")[0] == f"{strategy['name']}-{size}"]
                line.append(_score(store, found))
                seconds.append(statistics.mean(run.seconds for run in found) if found else None)
                shares += [run.trainable / run.parameters for run in found if run.trainable and run.parameters]
            line.append(" · ".join(duration(each) if each else "—" for each in seconds))
            rows.append([*line, f"{statistics.mean(shares):.2%}" if shares else "—"])
        before = [run.seconds for run in done if run.task == "masked-pretraining"]
    print("\n".join(table(rows, ["strategy", *(f"{size} labels" for size in sizes), "time", "learns"])))
    if before:
        print(f"pretraining on 20 000 sentences, once for each seed: {duration(statistics.mean(before))}")


def _score(store: Store, found: Sequence[Run]) -> str:
    last = points.last_values(store, GOAL, [run.id for run in found]) if found else {}
    scores = [value for value in last.values() if value is not None]
    if not scores:
        return "—"
    apart = f" ±{statistics.stdev(scores):.3f}" if len(scores) > 1 else ""
    return f"{statistics.mean(scores):.3f}{apart}" + (f" ({len(scores)})" if len(scores) < 3 else "")


def _runs(home: Home) -> list[Run]:
    if not home.store.exists():
        return []
    with read_store(home.store) as store:
        return runs.listing(store)


def _numbers(text: str) -> list[int]:
    return [int(each) for each in text.split(",")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--sizes", type=_numbers, default=list(EPOCHS))
    parser.add_argument("--seeds", type=_numbers, default=[1, 2, 3])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--table", action="store_true", help="print what is there, and train nothing")
    options = parser.parse_args()
    if not MINILM.exists() or not SST2.exists():
        raise SystemExit("needs the development data and weights (WORKBENCH_SHARED)")
    home = Home(options.home.resolve())
    if not options.table:
        begin(home, options.sizes, options.seeds, options.threads)
        wait(home)
    print_table(home, options.sizes)


if __name__ == "__main__":
    main()
