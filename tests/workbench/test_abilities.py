"""What an architecture can do is what transformers says, read without importing it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.making import tiny_backbone
from workbench.abilities import TABLES, _listed, family_of, why_unable
from workbench.errors import WorkbenchError
from workbench.models.backbones import find_backbone
from workbench.recipe import parse


@pytest.mark.parametrize("auto", TABLES)
def test_the_architectures_of_a_class_are_those_of_transformers(auto: str) -> None:
    from transformers.models.auto import modeling_auto

    assert _listed()[auto] == set(getattr(modeling_auto, TABLES[auto]))


def test_the_families_are_told_apart() -> None:
    kinds = {
        "encoder": ("bert", "distilbert", "roberta", "deberta-v2", "modernbert", "electra", "mpnet", "albert"),
        "decoder": ("gpt2", "llama", "qwen2", "qwen3", "gemma"),
        "encoder-decoder": ("t5", "bart", "marian"),
    }
    assert {name: family_of(name) for names in kinds.values() for name in names} == {
        name: family for family, names in kinds.items() for name in names
    }


@pytest.mark.parametrize(
    ("auto", "architecture", "words"),
    [
        ("AutoModelForSequenceClassification", "bert", ""),
        ("AutoModelForSequenceClassification", "marian", "marian has no SequenceClassification head"),
        ("AutoModelForCausalLM", "bert", "bert is an encoder, and a decoder is needed"),
        ("AutoModelForMaskedLM", "bart", "bart is an encoder-decoder, and an encoder is needed"),
        ("AutoModel", "t5", "t5 is an encoder-decoder, and an encoder or a decoder is needed"),
        ("AutoModelForSomethingNew", "bert", ""),
    ],
)
def test_what_cannot_be_done_has_its_reason(auto: str, architecture: str, words: str) -> None:
    said = why_unable(auto, architecture)
    assert said.startswith(words)
    assert bool(said) == bool(words)


def test_a_backbone_that_cannot_do_the_task_is_refused_before_it_is_loaded(tmp_path: Path) -> None:
    folder = tiny_backbone(tmp_path / "marian", "marian")
    for file in folder.glob("*.safetensors"):
        file.write_bytes(file.read_bytes()[:-8])
    made = parse({"task": "sentiment", "data": "starter:sentiment", "backbone": str(folder), "strategy": "full"})
    with pytest.raises(WorkbenchError, match="marian has no SequenceClassification head") as refusal:
        find_backbone(made)
    assert "Pick another backbone for sentiment" in refusal.value.hint
