"""From scratch: the architecture of a backbone, with its tokenizer or one of the rows' own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.making import ARCHITECTURES, tiny_backbone, toy_rows, write_jsonl
from tests.training.support import recipe_of, run_of
from workbench.inference.loaded import load
from workbench.training.events import Evaluated
from workbench.training.job import build


@pytest.mark.parametrize("kind", [kind for kind in ARCHITECTURES if kind != "marian"])
def test_a_trained_tokenizer_and_its_architecture_fit_each_other(kind: str, tmp_path: Path) -> None:
    rows = write_jsonl(tmp_path / "rows.jsonl", toy_rows(40))
    strategy = {"name": "scratch", "tokenizer": "trained", "vocabulary": 320}
    recipe = recipe_of(tiny_backbone(tmp_path / kind, kind), rows, strategy=strategy, training={"epochs": 1})
    (tmp_path / "run").mkdir()
    told = run_of(recipe, tmp_path / "run")
    loaded = load(tmp_path / "run")
    assert len(loaded.tokenizer) == loaded.model.config.vocab_size == 320
    assert loaded.model.config.pad_token_id == loaded.tokenizer.pad_token_id
    stored = told.all(Evaluated)[-1].answers or told.all(Evaluated)[0].answers
    assert loaded.answer([{"text": "a good day 0"}])[0]["pred"] in ("good", "bad")
    assert stored


def test_a_resumed_run_keeps_the_tokenizer_that_it_trained(tmp_path: Path) -> None:
    rows = write_jsonl(tmp_path / "rows.jsonl", toy_rows(40))
    strategy = {"name": "scratch", "tokenizer": "trained", "vocabulary": 320}
    recipe = recipe_of(tiny_backbone(tmp_path / "bert"), rows, strategy=strategy)
    (tmp_path / "run").mkdir()
    first = build(recipe, tmp_path / "run", tmp_path / "cache")
    again = build(recipe, tmp_path / "run", tmp_path / "cache")
    assert first.tokenizer.get_vocab() == again.tokenizer.get_vocab()
    kept = build(recipe_of(tmp_path / "bert", rows, strategy="scratch"), _made(tmp_path / "kept"), tmp_path / "cache")
    assert kept.tokenizer.get_vocab() != first.tokenizer.get_vocab()


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
