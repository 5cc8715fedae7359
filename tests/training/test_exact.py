"""A run that is stopped or paused and resumed ends with the same bits: every strategy and every task once.

Every pair: `python -m tests.faults.exact`.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.faults.exact import REMEDIES, differing, hardened
from tests.training import pairs
from workbench.catalog import TASKS
from workbench.recipe.remedies import OFF
from workbench.strategies import STRATEGIES

PAIRS = (
    ("full", "embeddings"), ("gradual", "named-entities"), ("layer-decay", "question-answering"),
    ("top-layers", "translation"), ("head", "multi-label"), ("bias", "masked-pretraining"), ("norms", "regression"),
    ("lora", "instructions"), ("ia3", "causal-pretraining"), ("scratch", "text-classification"),
    ("pretrain-first", "similarity"), ("distil", "sentiment"), ("lora", "summarization"),
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pairs.make(tmp_path_factory.mktemp("pairs"))


def test_every_strategy_every_task_and_every_remedy_is_among_them() -> None:
    assert set(REMEDIES) == set(OFF)
    assert {strategy for strategy, _ in PAIRS} == set(STRATEGIES)
    assert {task for _, task in PAIRS} == set(TASKS)


@pytest.mark.parametrize(("strategy", "task"), PAIRS)
def test_a_broken_run_of_a_pair_goes_on_as_if_it_had_not_been(
    strategy: str, task: str, folder: Path, tmp_path: Path
) -> None:
    chance = random.Random(f"{strategy} {task}")
    apart, broken = differing(hardened(strategy, task, folder, chance.randrange(4)), tmp_path, chance)
    assert apart == [], broken
