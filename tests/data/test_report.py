"""What a recipe comes to is asked of a child, which may fail, hang or be ended."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from tests.making import toy_rows, write_jsonl
from workbench.data.report import inspect
from workbench.errors import WorkbenchError
from workbench.recipe import Recipe, parse


def recipe_of(train: Path, **tables: Any) -> Recipe:
    plain = {"task": "sentiment", "data": str(train), "backbone": "size:tiny", "strategy": "full"}
    return parse(plain | {"training": {"batch_size": 4, "accumulation": 2, "epochs": 1.5}} | tables)


def test_a_report_says_what_the_run_will_be(tmp_path: Path) -> None:
    rows = [{"id": n, "sentence": row["text"], "class": row["label"]} for n, row in enumerate(toy_rows(40))]
    report = inspect(recipe_of(write_jsonl(tmp_path / "train.jsonl", rows)), tmp_path / "cache")
    assert (report.rows, report.validation_rows, report.updates, report.evaluation_every) == (36, 4, 8, 1)
    assert report.columns == ["id", "sentence", "class"]
    assert report.types == {"id": "whole number", "sentence": "text", "class": "text"}
    assert report.encoding == "UTF-8"
    assert report.chosen == {"text": "sentence", "label": "class"}
    assert sum(report.labels.values()) == 36
    assert sorted(report.labels) == ["bad", "good"]
    assert len(report.preview) == 5
    assert all(("good" in text) == (label == "good") for text, label in report.preview)
    assert report.parameters == 8000 * 128 + 2 * 12 * 128**2


def test_an_error_of_the_child_arrives_in_words(tmp_path: Path) -> None:
    with pytest.raises(WorkbenchError) as refusal:
        inspect(recipe_of(tmp_path / "no [red] such.csv"), tmp_path / "cache")
    assert refusal.value.what == "there is no such file"
    assert refusal.value.where == str(tmp_path / "no [red] such.csv")


@pytest.mark.parametrize(("given_up", "words"), [({"timeout": 0.5}, "no answer within"), ({}, "cancelled")])
def test_a_child_that_takes_too_long_is_ended(tmp_path: Path, given_up: dict[str, float], words: str) -> None:
    started = time.monotonic()
    slow = recipe_of(write_jsonl(tmp_path / "big.jsonl", toy_rows(4)))
    with pytest.raises(WorkbenchError, match=words):
        inspect(slow, tmp_path / "cache", cancelled=lambda: words == "cancelled", **given_up)
    assert time.monotonic() - started < 5
    assert children() == []


def children() -> list[str]:
    """Return the processes started from here that are not over."""
    me = os.getpid()
    listed = Path(f"/proc/{me}/task/{me}/children").read_text().split()
    return [pid for pid in listed if b"workbench.data.inspect" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def test_a_module_beside_the_data_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "datasets.py").write_text("raise SystemExit('run')")
    monkeypatch.chdir(tmp_path)
    assert inspect(recipe_of(write_jsonl(tmp_path / "train.jsonl", toy_rows(10))), tmp_path / "cache").rows == 9
