"""Decoders without weights: a small Llama with a tokenizer of the texts, for both tasks."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from tests.making import write_jsonl
from tests.tasks.test_decoders_whole import DATA
from tests.training.support import recipe_of
from workbench.training.job import build


@pytest.mark.parametrize("name", DATA)
def test_a_size_is_a_small_llama_that_keeps_capital_letters(name: str, tmp_path: Path) -> None:
    rows = write_jsonl(tmp_path / "train.jsonl", DATA[name])
    task = {"name": name, "longest_output": 4}
    recipe = recipe_of(Path("size:tiny"), rows, task=task, training={"max_length": 64})
    (tmp_path / "run").mkdir()
    job, again = (build(recipe, tmp_path / "run", tmp_path / "cache") for _ in range(2))
    assert job.train == again.train
    assert (job.model.config.model_type, job.model.config.num_hidden_layers) == ("llama", 2)
    assert job.model.config.vocab_size == len(job.tokenizer) <= 8000
    assert job.model.config.eos_token_id == job.tokenizer.sep_token_id
    assert "Say" in job.tokenizer.decode(job.tokenizer("Say")["input_ids"])
    answers, metrics = job.evaluate()
    metrics = metrics[""]
    assert len(answers) == len(job.data.validation) == 4
    assert metrics["loss"] == pytest.approx(math.log(len(job.tokenizer)), rel=0.1)
    assert metrics["perplexity"] == pytest.approx(math.exp(metrics["loss"]))
