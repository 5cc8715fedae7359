"""Every pair of task and strategy: it trains, saves, loads and answers as it was evaluated, or it says why not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.making import tiny_backbone
from tests.training.support import Told, recipe_of, run_of
from workbench.catalog import STARTER_FOLDER, STARTERS, TASKS, why_senseless
from workbench.errors import WorkbenchError
from workbench.inference.loaded import load
from workbench.strategies import STRATEGIES
from workbench.training.events import Evaluated, Logged

BACKBONES = {"encoder": "bert", "decoder": "llama", "encoder-decoder": "bart"}
TRAINED, ASKED = 24, 6
SETTINGS: dict[str, dict[str, Any]] = {
    "scratch": {"tokenizer": "trained", "vocabulary": 400},
    "pretrain-first": {"texts": "starter:masked-pretraining", "then": "gradual"},
}
"""Settings that a strategy needs, or that make the pair harder."""

REFUSED = {
    ("head", "embeddings"), ("head", "similarity"), ("head", "translation"), ("head", "summarization"),
    ("head", "instructions"), ("head", "masked-pretraining"), ("head", "causal-pretraining"),
    *(("distil", task) for task in (
        "named-entities", "question-answering", "embeddings", "similarity", "translation", "summarization",
        "instructions", "causal-pretraining",
    )),
    *(("pretrain-first", task) for task in (
        "masked-pretraining", "causal-pretraining", "translation", "summarization",
    )),
}  # fmt: skip
PAIRS = [(strategy, task) for strategy in STRATEGIES for task in TASKS]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with tiny backbones, and few rows of a starter set for each task."""
    made = tmp_path_factory.mktemp("pairs")
    for kind in BACKBONES.values():
        tiny_backbone(made / kind, kind)
    for name in STARTERS:
        (made / name).mkdir()
        for source in STARTER_FOLDER.joinpath(name).glob("*.*"):
            rows = TRAINED if source.stem == "train" else ASKED
            lines = source.read_text(encoding="utf-8").splitlines(keepends=True)[:rows]
            (made / name / source.name).write_text("".join(lines), encoding="utf-8")
    return made


def tables_of(strategy: str, task: str, folder: Path) -> dict[str, Any]:
    """Return a strategy's table for a task; a teacher is a run of the same task, or a backbone for raw text."""
    table = {"name": strategy, **SETTINGS.get(strategy, {})}
    if strategy != "distil":
        return table
    if TASKS[task].pretraining:
        return table | {"teacher": str(folder / "bert")}
    taught = folder / f"{task}-teacher"
    if not taught.exists():
        train("full", task, folder, taught)
    return table | {"teacher": str(next(taught.glob("models/step-*")))}


def train(strategy: str, task: str, folder: Path, place: Path) -> Told:
    """Train for two updates on few rows."""
    card = TASKS[task]
    recipe = recipe_of(
        folder / BACKBONES[card.family],
        folder / (card.starter or "translation"),
        task={"name": task, **({"source": "en", "target": "de"} if task == "summarization" else {})},
        strategy=tables_of(strategy, task, folder),
        training={"max_length": 48, "epochs": 1, "batch_size": 12, "learning_rate": 1e-2},
        evaluation={"every": 1000},
    )
    place.mkdir()
    return run_of(recipe, place)


@pytest.mark.parametrize(("strategy", "task"), sorted(set(PAIRS) - REFUSED))
def test_a_pair_answers_as_it_was_evaluated(strategy: str, task: str, folder: Path, tmp_path: Path) -> None:
    assert why_senseless(task, strategy, "a backbone") == ""
    told = train(strategy, task, folder, tmp_path / "run")
    assert told.all(Logged)
    best = [event for event in told.all(Evaluated) if event.best][-1]
    loaded = load(tmp_path / "run")
    rows = rows_of(folder, task, loaded.columns)
    answers = loaded.answer(rows)
    assert len(answers) == len(best.answers)
    assert [answer["pred"] for answer in answers] == [answer.pred for answer in best.answers]
    assert [answer["score"] for answer in answers] == [pytest.approx(answer.score) for answer in best.answers]


def rows_of(folder: Path, task: str, columns: dict[str, str]) -> list[dict[str, Any]]:
    """Return the evaluation rows as role → value."""
    (file,) = (folder / (TASKS[task].starter or "translation")).glob("validation.*")
    lines = file.read_text(encoding="utf-8").splitlines()
    rows = (
        [json.loads(line) for line in lines if line]
        if file.suffix == ".jsonl"
        else [{"text": line} for line in lines if line]
    )
    return [{role: row[column] for role, column in columns.items() if column in row} for row in rows]


@pytest.mark.parametrize(("strategy", "task"), sorted(REFUSED))
def test_a_senseless_pair_is_refused_with_the_reason(strategy: str, task: str, folder: Path) -> None:
    reason = why_senseless(task, strategy, "a backbone")
    assert reason
    table = {"name": strategy, **SETTINGS.get(strategy, {}), **({"teacher": "x"} if strategy == "distil" else {})}
    with pytest.raises(WorkbenchError, match=r"strategy\.name") as refused:
        recipe_of(folder / "bert", folder / "sentiment", task=task, strategy=table)
    assert reason in str(refused.value)


def test_frozen_random_weights_are_refused(folder: Path) -> None:
    for name, strategy in STRATEGIES.items():
        refused = "would stay frozen at random" in why_senseless("sentiment", name, "size:tiny")
        assert refused is strategy.card.partial
