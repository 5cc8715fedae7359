"""Real runs of a tiny model: one that is well, one that learns by heart, one whose rate is far too high."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from tests.making import toy_rows, write_jsonl
from tests.training.support import Told, recipe_of, run_of
from workbench.insight.course import Course
from workbench.insight.diagnosis import Diagnosis
from workbench.insight.remedies import diagnose, remedied
from workbench.training.events import Evaluated, Logged

STARTER = Path("starter:sentiment")
TINY = Path("size:tiny")


def trained(folder: Path, rows: Path = STARTER, **tables: Any) -> tuple[Told, tuple[Diagnosis, ...]]:
    """Train the tiny model on the starter set, or on rows; return the run and what ails it."""
    folder.mkdir()
    told = run_of(recipe_of(TINY, rows, seed=42, **tables), folder)
    curves: dict[str, tuple[list[int], list[float | None]]] = {}
    for event in told.events:
        if isinstance(event, (Logged, Evaluated)):
            for name, value in event.values.items():
                steps, values = curves.setdefault(name, ([], []))
                steps.append(event.step)
                values.append(None if math.isnan(value) else value)
    names = ("train/loss", "eval/loss", "eval/accuracy", "train/grad_norm", "train/rate")
    updates = curves["train/loss"][0][-1]
    course = Course(*(curves.get(name, ([], [])) for name in names), "accuracy", "max", updates, 1.0, 164)
    return told, diagnose(course, told.recipe)


def test_a_run_that_learns_its_task_has_no_diagnosis(tmp_path: Path) -> None:
    rows = write_jsonl(tmp_path / "rows.jsonl", toy_rows(300))
    _, found = trained(tmp_path / "run", rows, training={"batch_size": 16, "epochs": 3, "dropout": None})
    assert found == ()


def test_many_passes_over_few_rows_overfit_and_the_remedied_recipe_trains(tmp_path: Path) -> None:
    data = {"train": str(STARTER), "rows": 64}
    training = {"batch_size": 16, "epochs": 24, "dropout": None}
    told, found = trained(tmp_path / "run", data=data, training=training)
    assert found[0].code == "overfitting"
    assert {"evaluation.patience", "training.dropout", "training.weight_decay"} <= set(found[0].changes)
    (tmp_path / "again").mkdir()
    again = run_of(remedied(told.recipe, found[0].changes), tmp_path / "again")
    assert again.all(Evaluated)
    assert len(again.all(Logged)) < len(told.all(Logged))


def test_a_rate_far_too_high_diverges_and_the_remedy_is_the_usual_rate(tmp_path: Path) -> None:
    training = {"batch_size": 16, "learning_rate": 0.1, "dropout": None, "epochs": 2}
    _, found = trained(tmp_path / "run", training=training)
    assert found[0].code == "diverging"
    assert found[0].changes["training.learning_rate"] == 5e-4


def test_a_range_test_is_not_ill_where_its_loss_goes_up(tmp_path: Path) -> None:
    training = {"batch_size": 16, "learning_rate": 1.0, "schedule": "range-test", "dropout": None, "epochs": 2}
    told, found = trained(tmp_path / "run", training=training)
    assert told.all(Logged)
    assert found == ()
