"""Fine-tune all-MiniLM-L6-v2 on 8 000 rows of SST-2, full and step-wise, and print the table.

Also asks each saved model for every validation row, by file and one by one, and holds the answers against the stored
predictions, to the last digit.

    python -m tests.benchmarks.sst2 [--home DIR] [--rows 8000] [--epochs 2]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from store import predictions, runs
from store.connection import read_store
from store.runs import Run
from tests.shared import MINILM, SST2
from workbench.commands.follow import follow
from workbench.inference.client import Client
from workbench.insight.compare import compare
from workbench.insight.words import as_text
from workbench.paths import Home
from workbench.recipe import Recipe, parse
from workbench.supervision import queue
from workbench.text import duration, number, size, table

REQUIRED = 0.845
ONE_BY_ONE = 100


def recipe(strategy: dict[str, Any], rows: int, epochs: float, seed: int) -> Recipe:
    """Return the recipe of one run."""
    data = {"train": str(SST2 / "train.jsonl.gz"), "validation": str(SST2 / "validation.jsonl.gz"), "rows": rows}
    training = {"epochs": epochs, "learning_rate": 5e-5}
    return parse(
        {
            "name": f"sst2-{strategy['name']}",
            "seed": seed,
            "task": "sentiment",
            "data": data,
            "backbone": str(MINILM),
            "strategy": strategy,
            "training": training,
        }
    )


def equal_answers(home: Home, run: Run) -> tuple[int, int, int]:
    """Return how many rows there are, and how many answers equal the stored ones by file and one by one."""
    with read_store(home.store) as store:
        stored = predictions.listing(store, run.id)
    client = Client(home)
    try:
        together = client.answer(run, [row.input for row in stored], timeout=600)
        alone = [client.answer(run, [row.input])[0] for row in stored[:ONE_BY_ONE]]
    finally:
        client.close()

    def same(answers: list[Any]) -> int:
        return sum(
            answer.output["scores"] == row.output["scores"] for answer, row in zip(answers, stored, strict=False)
        )

    return len(stored), same(together), same(alone)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--rows", type=int, default=8000)
    parser.add_argument("--epochs", type=float, default=2)
    parser.add_argument("--seed", type=int, default=42)
    options = parser.parse_args()
    if not MINILM.exists() or not SST2.exists():
        raise SystemExit("needs the development data and weights (WORKBENCH_SHARED)")
    home = Home((options.home or Path(tempfile.mkdtemp(prefix="sst2-"))).resolve())
    strategies: list[dict[str, Any]] = [{"name": "full"}, {"name": "gradual"}]
    queued = [queue.submit(home, recipe(each, options.rows, options.epochs, options.seed)) for each in strategies]
    ended = [follow(home, run) for run in queued]
    rows = []
    for run in ended:
        count, together, alone = equal_answers(home, run)
        speed = run.step * 16 / run.seconds
        exact = f"{together}/{count}, alone {alone}/{ONE_BY_ONE}"
        rows.append(
            [
                run.strategy,
                number(run.best_value, 4),
                duration(run.seconds),
                f"{speed:.0f}",
                size(run.peak_bytes),
                exact,
            ]
        )
    with read_store(home.store) as store:
        print(as_text(compare(store, [run.id for run in ended])), "\n")
        best = runs.get(store, ended[0].id)
    print("\n".join(table(rows, ["strategy", "accuracy", "time", "ex/s", "memory", "answers equal"])))
    assert best is not None
    assert best.best_value is not None
    print(f"full reaches {best.best_value:.4f}; required {REQUIRED}: {'yes' if best.best_value >= REQUIRED else 'NO'}")


if __name__ == "__main__":
    main()
