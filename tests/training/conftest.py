"""Tiny runs in this process: a backbone and data made once, one run trained once and looked at often."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.making import tiny_backbone, toy_rows, write_jsonl
from tests.training.support import Told, recipe_of, run_of


@pytest.fixture(scope="session")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_backbone(tmp_path_factory.mktemp("backbone") / "bert")


@pytest.fixture(scope="session")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_jsonl(tmp_path_factory.mktemp("rows") / "train.jsonl", toy_rows(80))


@pytest.fixture(scope="session")
def learned(backbone: Path, rows: Path, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Return a run that learned the toy set to its end."""
    training = {"epochs": 12, "batch_size": 8, "learning_rate": 5e-3}
    made = recipe_of(backbone, rows, training=training, evaluation={"every": 27, "metric": "loss"})
    return run_of(made, tmp_path_factory.mktemp("learned"))
