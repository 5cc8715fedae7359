"""Every pair of task and strategy that makes sense, with tiny backbones and few rows of a starter set for each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.making import tiny_backbone
from tests.training.support import recipe_of, run_of
from workbench.catalog import STARTER_FOLDER, STARTERS, TASKS
from workbench.recipe import Recipe
from workbench.strategies import STRATEGIES

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
SENSIBLE = sorted(set(PAIRS) - REFUSED)
SHORT = {"max_length": 48, "epochs": 1, "batch_size": 12, "learning_rate": 1e-2}
"""Training of two updates."""


def make(folder: Path) -> Path:
    """Fill a folder with backbones and rows, and return it."""
    for kind in BACKBONES.values():
        tiny_backbone(folder / kind, kind)
    for name in STARTERS:
        (folder / name).mkdir()
        for source in STARTER_FOLDER.joinpath(name).glob("*.*"):
            rows = TRAINED if source.stem == "train" else ASKED
            lines = source.read_text(encoding="utf-8").splitlines(keepends=True)[:rows]
            (folder / name / source.name).write_text("".join(lines), encoding="utf-8")
    return folder


def recipe_for(strategy: str, task: str, folder: Path, /, **tables: Any) -> Recipe:
    """Return the recipe of a pair; `tables` are laid over it."""
    card = TASKS[task]
    plain: dict[str, Any] = {
        "task": {"name": task, **({"source": "en", "target": "de"} if task == "summarization" else {})},
        "strategy": strategy_table(strategy, task, folder),
        "training": SHORT,
        "evaluation": {"every": 1000},
    }
    return recipe_of(folder / BACKBONES[card.family], folder / (card.starter or "translation"), **plain | tables)


def strategy_table(strategy: str, task: str, folder: Path) -> dict[str, Any]:
    """Return a strategy's table for a task; a teacher is a run of the same task, or a backbone for raw text."""
    table = {"name": strategy, **SETTINGS.get(strategy, {})}
    if strategy != "distil":
        return table
    if TASKS[task].pretraining:
        return table | {"teacher": str(folder / "bert")}
    taught = folder / f"{task}-teacher"
    if not taught.exists():
        taught.mkdir()
        run_of(recipe_for("full", task, folder), taught)
    return table | {"teacher": str(next(taught.glob("models/step-*")))}
