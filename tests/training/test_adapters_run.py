"""Runs with adapters, for every task: the published folder is plain, and answers as the run was evaluated."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file

from tests.making import GOOD, tiny_backbone, toy_rows, write_jsonl
from tests.training.support import Told, recipe_of, run_of
from workbench.inference.loaded import load
from workbench.tasks import TASKS
from workbench.training.events import Evaluated, Staged

TEXTS = [f"{GOOD[number % len(GOOD)]} and number {number}" for number in range(24)]
PAIRS = [{"text": text, "pair": f"so {text}", "score": number % 5} for number, text in enumerate(TEXTS)]
TAGGED = [
    {"tokens": text.split(), "tags": ["B-X" if word == "good" else "O" for word in text.split()]} for text in TEXTS
]
SEVERAL = [{"text": text, "labels": ["a", "b"][: number % 3]} for number, text in enumerate(TEXTS)]
QUESTIONS = [
    {"question": "what?", "context": text, "answers": {"text": ["good"], "answer_start": [text.index("good")]}}
    for text in TEXTS
]
RUNS: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "sentiment": ("bert", toy_rows(24)),
    "text-classification": ("deberta-v2", toy_rows(24)),
    "multi-label": ("distilbert", SEVERAL),
    "regression": ("modernbert", [{"text": text, "score": number % 7} for number, text in enumerate(TEXTS)]),
    "named-entities": ("mpnet", TAGGED),
    "question-answering": ("albert", QUESTIONS),
    "embeddings": ("bert", PAIRS),
    "similarity": ("roberta", PAIRS),
    "masked-pretraining": ("bert", [{"text": text} for text in TEXTS]),
    "causal-pretraining": ("gpt2", [{"text": text} for text in TEXTS]),
    "instructions": ("llama", [{"instruction": "say", "response": text} for text in TEXTS]),
    "translation": ("marian", [{"en": text, "de": text.upper()} for text in TEXTS]),
    "summarization": ("t5", [{"document": text, "summary": text[:4]} for text in TEXTS]),
}  # fmt: skip
"""Of each task an architecture and rows; all are trained on and evaluated."""

LORA: dict[str, Any] = {"name": "lora", "variant": "dora", "rank": 2}


@pytest.fixture(scope="module", params=[*RUNS, "ia3"])
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Return a run of each task with LoRA, and one with IA3."""
    strategy: Any = LORA if request.param in RUNS else "ia3"
    name = request.param if request.param in RUNS else "sentiment"
    kind, rows = RUNS[name]
    folder = tmp_path_factory.mktemp(request.param)
    file = str(write_jsonl(folder / "rows.jsonl", rows))
    (folder / "run").mkdir()
    made = recipe_of(
        tiny_backbone(folder / "backbone", kind),
        Path(file),
        task=name,
        data={"train": file, "validation": file},
        strategy=strategy,
        training={"epochs": 2, "learning_rate": 1e-2, "batch_size": 4},
        evaluation={"every": 4},
    )
    return run_of(made, folder / "run")


def best(told: Told) -> Evaluated:
    return [event for event in told.all(Evaluated) if event.best][-1]


def published(told: Told) -> Path:
    (folder,) = (told.folder / "models").glob("step-*")
    return folder


def test_the_published_folder_is_plain(told: Told) -> None:
    auto = getattr(transformers, TASKS[told.recipe.task.name].auto)
    model, info = auto.from_pretrained(published(told), output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["mismatched_keys"]
    assert all("pooler" in name for name in info["unexpected_keys"])
    names = set(load_file(published(told) / "model.safetensors"))
    assert not [name for name in names if "base_layer" in name or "lora" in name or "ia3" in name]
    assert "lora" not in (published(told) / "config.json").read_text(encoding="utf-8")
    assert model.config.architectures == [type(model).__name__]


def test_the_published_folder_answers_as_the_run_was_evaluated(told: Told) -> None:
    before = torch.get_num_threads()
    loaded = load(told.folder)
    rows = loaded.read(told.recipe.data.train, told.folder.parent / "cache")
    answers = loaded.answer(rows)
    torch.set_num_threads(before)
    assert loaded.step == best(told).step
    assert [(each["pred"], each["score"]) for each in answers] == [
        (each.pred, each.score) for each in best(told).answers
    ]


def test_the_backbone_stays_and_something_beside_it_learns(told: Told) -> None:
    backbone = load_file(Path(told.recipe.backbone.name) / "model.safetensors")
    newest = load_file(max((told.folder / "checkpoints").glob("step-*")) / "model.safetensors")
    frozen = {}
    for name, tensor in newest.items():
        plain = name.replace(".base_layer.", ".")
        twins = [key for key in backbone if plain == key or plain.endswith(f".{key}")]
        frozen |= {name: tensor.equal(backbone[twins[0]])} if twins else {}
    changed = [name for name, equal in frozen.items() if not equal]
    assert sum("base_layer" in name for name in frozen) >= 6
    assert all(re.search("pooler|final_norm", name) for name in changed)
    assert told.all(Staged)[0].trainable > 0
    assert any("lora_" in name or "ia3_" in name for name in newest)


@pytest.mark.parametrize("strategy", ["lora", "full"])
def test_the_model_of_a_run_with_adapters_is_a_backbone(backbone: Path, tmp_path: Path, strategy: str) -> None:
    rows = write_jsonl(tmp_path / "rows.jsonl", toy_rows(16))
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    first = run_of(recipe_of(backbone, rows, strategy="lora", training={"epochs": 1}), tmp_path / "first")
    made = recipe_of(published(first), rows, strategy=strategy, training={"epochs": 1})
    assert run_of(made, tmp_path / "second").all(Evaluated)
