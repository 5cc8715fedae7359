"""Named entities, the whole way: a run by the command, its stored predictions, and `predict` on the same file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from store import predictions, runs
from store.connection import read_store
from store.predictions import Prediction
from store.runs import Run
from tests.conftest import workbench
from tests.making import tiny_backbone, write_jsonl
from workbench.paths import Home
from workbench.recipe import parse

NAMES = ("Ann", "Bo", "Cy", "Dora")
PLACES = ("Berlin", "Rome", "New York", "Ulm")


def toy_sentences() -> list[dict[str, Any]]:
    """Return sentences of a few forms, one of them too long for a window, with people and places."""
    rows = []
    for number, (name, place) in enumerate((name, place) for name in NAMES for place in PLACES):
        parts = [(name, "person"), ("went to", ""), (place, "place")]
        if number % 3 == 0:
            parts = [*parts, ("and so on " * 8, ""), (name, "person"), (place, "place")]
        tokens, tags = [], []
        for text, kind in parts:
            words = text.split()
            tokens += words
            tags += [f"{'I' if place else 'B'}-{kind}" if kind else "O" for place in range(len(words))]
        rows.append({"tokens": tokens, "ner_tags": tags})
    return rows


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Home, Run, list[Prediction]]:
    folder = tmp_path_factory.mktemp("entities")
    file = write_jsonl(folder / "validation.jsonl", toy_sentences())
    recipe = parse(
        {
            "task": {"name": "named-entities", "stride": 6},
            "data": {"train": str(file), "validation": str(file)},
            "backbone": str(tiny_backbone(folder / "backbone")),
            "strategy": "full",
            "training": {"epochs": 60, "batch_size": 8, "learning_rate": 1e-2, "max_length": 24, "dropout": 0.0},
            "evaluation": {"every": 20},
            "hardware": {"device": "cpu", "threads": 1},
        }
    )
    (folder / "recipe.toml").write_text(recipe.to_toml(), encoding="utf-8")
    said = workbench("train", folder / "recipe.toml", "--wait", home=folder / "home")
    assert said.returncode == 0, said.stderr
    home = Home(folder / "home")
    with read_store(home.store) as store:
        (run,) = runs.listing(store)
        return folder, home, run, predictions.listing(store, run.id)


def test_a_run_learns_its_rows_by_heart(told: tuple[Path, Home, Run, list[Prediction]]) -> None:
    _, _, run, stored = told
    assert run.best_value == 1.0
    assert all(each.correct for each in stored)
    assert stored[0].pred == stored[0].gold
    assert "Berlin (place)" in stored[0].pred


def test_predict_on_the_file_gives_the_stored_answers(told: tuple[Path, Home, Run, list[Prediction]]) -> None:
    folder, home, run, stored = told
    said = workbench("predict", run.id, "--file", folder / "validation.jsonl", "--json", home=home.root)
    assert said.returncode == 0, said.stderr
    answers = json.loads(said.stdout)
    assert len(answers) == len(stored) == 16
    for answer, each in zip(answers, stored, strict=True):
        assert [answer[key] for key in ("pred", "score", "loss", "correct")] == [
            each.pred, each.score, each.loss, each.correct
        ]  # fmt: skip
        assert {key: answer[key] for key in ("tokens", "tags", "entities")} == each.output
        assert answer["of"] == len(answer["pieces"]) <= 24


def test_predict_says_entities_in_words(told: tuple[Path, Home, Run, list[Prediction]]) -> None:
    _, home, run, _ = told
    said = workbench("predict", run.id, "Ann went to New York", "Bo went to Rome", home=home.root)
    assert said.returncode == 0, said.stderr
    first, second = said.stdout.splitlines()
    assert first.startswith("Ann (person), New York (place)")
    assert second.startswith("Bo (person), Rome (place)")
    assert "cut" not in said.stdout
