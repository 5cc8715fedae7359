"""A translator trained from nothing by the command: it learns a small language, and answers as it was evaluated."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from store import predictions, runs
from store.connection import read_store
from store.runs import Run
from tests.conftest import workbench
from tests.making import write_jsonl
from workbench.inference.client import Client
from workbench.paths import Home
from workbench.recipe import parse

WORDS = {"one": "eins", "two": "zwei", "three": "drei", "four": "vier", "five": "fünf", "six": "sechs"}
ROWS = [
    {"en": f"{first} and {second}", "de": f"{WORDS[second].upper()} {WORDS[first]}"}
    for first, second in itertools.product(WORDS, WORDS)
]
"""Each word by another, in the other order, the first in capitals."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    folder = tmp_path_factory.mktemp("translated")
    recipe = parse(
        {
            "task": {"name": "translation", "longest_output": 12},
            "data": {
                "train": str(write_jsonl(folder / "rows.jsonl", ROWS)),
                "validation": str(folder / "rows.jsonl"),
            },
            "backbone": "size:tiny",
            "strategy": "scratch",
            "training": {"epochs": 50, "batch_size": 9, "learning_rate": 2e-3, "dropout": 0.0, "max_length": 16},
            # There are no four words in a row, which BLEU counts.
            "evaluation": {"every": 100, "metric": "chrf"},
            "hardware": {"device": "cpu", "threads": 1},
        }
    )
    (folder / "recipe.toml").write_text(recipe.to_toml(), encoding="utf-8")
    told = workbench("train", folder / "recipe.toml", "--wait", home=folder / "home")
    assert told.returncode == 0, told.stderr
    return Home(folder / "home")


@pytest.fixture(scope="module")
def run(home: Home) -> Run:
    with read_store(home.store) as store:
        (run,) = runs.listing(store)
    return run


def test_a_small_language_is_learned_from_nothing(home: Home, run: Run) -> None:
    with read_store(home.store) as store:
        learned = predictions.listing(store, run.id)
    right = sum(each.correct is True for each in learned)
    assert right >= 0.9 * len(ROWS)
    assert run.best_value is not None
    assert run.best_value > 90
    assert all(each.output["written"] <= 12 and each.output["score"] <= 0 for each in learned)
    log = workbench("log", run.id, home=home.root).stdout
    assert "bleu is that of sacrebleu, nrefs:1|case:mixed" in log


def test_a_file_is_answered_as_evaluation_did(home: Home, run: Run, tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "rows.jsonl", ROWS)
    told = workbench("predict", run.id, "--file", file, "--json", home=home.root)
    assert told.returncode == 0, told.stderr
    with read_store(home.store) as store:
        stored = predictions.listing(store, run.id)
    assert [(each["pred"], each["score"], each["loss"], each["correct"]) for each in json.loads(told.stdout)] == [
        (each.pred, each.score, each.loss, each.correct) for each in stored
    ]


def test_a_prompt_is_answered_as_evaluation_did_and_seen_as_it_is_written(home: Home, run: Run) -> None:
    with read_store(home.store) as store:
        stored = predictions.listing(store, run.id)[7]
    client, seen = Client(home), list[str]()
    try:
        (answer,) = client.answer(run, [stored.input], written=seen.append)
    finally:
        client.close()
    assert (answer.pred, answer.score) == (stored.pred, stored.score)
    assert len(seen) >= answer.output["written"] > 0
    assert seen[-1].strip() == answer.pred
    assert all(answer.pred.startswith(text.strip()) for text in seen)
