"""Every pair of task and strategy: it trains, saves, loads and answers as it was evaluated, or it says why not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.training import pairs
from tests.training.pairs import REFUSED, SENSIBLE, SETTINGS, recipe_for
from tests.training.support import recipe_of, run_of
from workbench.catalog import TASKS, why_senseless
from workbench.errors import WorkbenchError
from workbench.inference.loaded import load
from workbench.strategies import STRATEGIES
from workbench.training.events import Evaluated, Logged


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pairs.make(tmp_path_factory.mktemp("pairs"))


@pytest.mark.parametrize(("strategy", "task"), SENSIBLE)
def test_a_pair_answers_as_it_was_evaluated(strategy: str, task: str, folder: Path, tmp_path: Path) -> None:
    assert why_senseless(task, strategy, "a backbone") == ""
    (tmp_path / "run").mkdir()
    told = run_of(recipe_for(strategy, task, folder), tmp_path / "run")
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
