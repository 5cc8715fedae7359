"""Train each task on real data with small models and print one table: score, what is wanted of it, time, memory.

Each saved model is then asked for its whole evaluation file, and the answers held against the stored predictions, to
the last digit. A run that is finished in the home already is not trained again, so that the script can be stopped.

    python -m tests.benchmarks.tasks [--home DIR] [--only NAME ...] [--threads 2] [--list]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from store import points, predictions, runs
from store.connection import read_store
from store.runs import Run
from tests.shared import MINILM, SHARED, STORIES
from workbench.commands.follow import follow
from workbench.goals import goal_of
from workbench.inference.client import Client
from workbench.paths import Home
from workbench.recipe import Recipe, parse
from workbench.supervision import queue
from workbench.text import duration, number, size, table

DATA = SHARED / "data"


@dataclass(frozen=True)
class Wanted:
    """A recipe, and the value of its goal that is wanted of it at least (at most, where lower is better)."""

    task: Mapping[str, Any] | str
    data: Mapping[str, Any]
    training: Mapping[str, Any]
    bar: float | None = None
    backbone: str = str(MINILM)
    strategy: str = "full"
    every: int | None = None


def files(folder: str, train: str, validation: str, **more: Any) -> dict[str, Any]:
    """Return the data table of a development set."""
    return {"train": str(DATA / folder / train), "validation": str(DATA / folder / validation), **more}


RUNS: dict[str, Wanted] = {
    "trec": Wanted(
        {"name": "text-classification", "label": "coarse_label"},
        files("trec", "train.jsonl", "test.jsonl"),
        {"epochs": 2, "learning_rate": 2e-4, "max_length": 48},
        bar=0.93,
    ),
    "ag_news": Wanted(
        "text-classification",
        files("ag_news", "train.csv", "validation.csv"),
        {"epochs": 1, "learning_rate": 1e-4, "max_length": 64},
        bar=0.87,
    ),
    "stsb": Wanted(
        "regression",
        files("stsb", "train.csv", "validation.csv"),
        {"epochs": 2, "learning_rate": 1e-4, "max_length": 96},
        bar=0.80,
    ),
    "goemotions": Wanted(
        {"name": "multi-label", "threshold": 0.3},
        files("goemotions", "train.jsonl.gz", "validation.jsonl.gz", rows=10_000),
        {"epochs": 2, "learning_rate": 2e-4, "max_length": 48},
    ),
    "wnut17": Wanted(
        "named-entities",
        files("wnut17", "train.conll", "validation.conll"),
        {"epochs": 2, "learning_rate": 2e-4},
        bar=0.25,
    ),
    "squad": Wanted(
        "question-answering",
        files("squad", "train.json", "validation.json"),
        {"epochs": 1.5, "learning_rate": 2e-4, "max_length": 256, "precision": "bf16"},
        bar=40,
        every=381,
    ),
    "stsb-vectors": Wanted(
        "similarity",
        files("stsb", "train.csv", "test.csv"),
        {"epochs": 1, "learning_rate": 1e-5, "batch_size": 64, "batches": "random"},
    ),
    "squad-vectors": Wanted(
        {"name": "embeddings", "text": "question", "pair": "context"},
        files("squad-flat", "train.jsonl.gz", "validation.jsonl.gz", rows=2000),
        {"epochs": 1, "learning_rate": 2e-5, "batch_size": 32, "max_length": 128},
    ),
    "multi30k": Wanted(
        {"name": "translation", "longest_output": 48},
        files("multi30k-parquet", "train.parquet", "validation.parquet"),
        {"epochs": 6, "batch_size": 32, "learning_rate": 2e-3, "label_smoothing": 0.1, "max_length": 64},
        bar=10,
        backbone="size:tiny",
        strategy="scratch",
        every=2718,
    ),
    "instruct": Wanted(
        {"name": "instructions", "longest_output": 32},
        files("instruct-1100", "train.json", "validation.json"),
        {"epochs": 3, "learning_rate": 3e-3},
        backbone=str(STORIES),
    ),
    "wikitext2": Wanted(
        "masked-pretraining",
        files("wikitext2-small", "train.txt", "validation.txt"),
        {"epochs": 1, "learning_rate": 2e-4},
    ),
}


def recipe(name: str, threads: int | None) -> Recipe:
    """Return the recipe of a run."""
    wanted = RUNS[name]
    return parse(
        {
            "name": name,
            "task": wanted.task,
            "data": wanted.data,
            "backbone": wanted.backbone,
            "strategy": wanted.strategy,
            "training": wanted.training,
            "evaluation": {"every": wanted.every},
            "hardware": {"device": "cpu", "threads": threads},
        }
    )


def carry_out(home: Home, plan: Recipe) -> Run:
    """Train a recipe, or return the run that did so before."""
    if home.store.exists():
        with read_store(home.store) as store:
            done = [run for run in runs.listing(store) if run.recipe_hash == plan.hash() and run.state == "finished"]
        if done:
            return done[0]
    return follow(home, queue.submit(home, plan))


def untrained(home: Home, run: Run) -> float | None:
    """Return the value of the goal before the first update, where it was measured then."""
    with read_store(home.store) as store:
        steps, values = points.curve(store, run.id, run.goal_key or "")
    return values[0] if steps and steps[0] == 0 else None


def equal_answers(home: Home, run: Run, file: str) -> str:
    """Ask the model for the whole evaluation file; return how many answers equal the stored ones, of how many."""
    with read_store(home.store) as store:
        stored = predictions.listing(store, run.id)
    with closing(Client(home)) as client:
        answers = [answer for _, some, _ in client.answer_file(run, file) for answer in some]
    same = sum(
        _same(answer.output, row.output) and answer.loss == row.loss
        for answer, row in zip(answers, stored, strict=True)
    )
    return f"{same} of {len(stored)}"


def _same(answer: Mapping[str, Any], stored: Mapping[str, Any]) -> bool:
    """Whether an answer says what is stored; the tokens it shows beside are not part of it."""
    return all(answer[key] == value for key, value in stored.items())


def row_of(home: Home, name: str, plan: Recipe, run: Run) -> list[str]:
    """Return a run as a row of the table."""
    wanted, value = RUNS[name], run.best_value
    reached = "—"
    if wanted.bar is not None and value is not None:
        reached = "yes" if (value >= wanted.bar) == (goal_of(plan.goal) == "max") else "NO"
    return [
        name,
        plan.task.name,
        f"{plan.goal} {number(value, 4)}",
        number(untrained(home, run), 4),
        "—" if wanted.bar is None else number(wanted.bar, 2),
        reached,
        duration(run.seconds),
        size(run.peak_bytes),
        equal_answers(home, run, str(plan.data.validation)),
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--only", nargs="*", choices=list(RUNS), default=list(RUNS))
    parser.add_argument("--threads", type=int)
    parser.add_argument("--list", action="store_true", help="print the recipes and train nothing")
    options = parser.parse_args(arguments)
    if not MINILM.exists():
        raise SystemExit("needs the development data and weights (WORKBENCH_SHARED)")
    plans = {name: recipe(name, options.threads) for name in options.only}
    if options.list:
        print("\n".join(plan.to_toml() for plan in plans.values()))
        return
    home = Home((options.home or Path(tempfile.mkdtemp(prefix="tasks-"))).resolve())
    rows = [row_of(home, name, plan, carry_out(home, plan)) for name, plan in plans.items()]
    heads = ["run", "task", "best", "untrained", "wanted", "reached", "time", "memory", "predict = stored"]
    print("\n".join(table(rows, heads)))


if __name__ == "__main__":
    main()
