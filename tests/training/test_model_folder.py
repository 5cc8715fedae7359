"""The best model is a folder that plain transformers loads, and it answers as evaluation did."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from tests.making import tiny_backbone
from tests.training.support import Told
from workbench.data.prepare import prepare
from workbench.errors import WorkbenchError
from workbench.inference.scoring import score
from workbench.tasks.answer import softmax
from workbench.training.events import Evaluated, Saved
from workbench.training.model import load_tokenizer
from workbench.training.publish import verify


def best_folder(learned: Told) -> Path:
    (folder,) = (learned.folder / "models").glob("step-*")
    return folder


def best(learned: Told) -> Evaluated:
    return [event for event in learned.all(Evaluated) if event.best][-1]


def test_the_folder_names_what_it_is(learned: Told) -> None:
    folder = best_folder(learned)
    described = json.loads((folder / "workbench.json").read_text(encoding="utf-8"))
    assert described == {
        "task": {"name": "sentiment", "text": None, "pair": None, "label": None},
        "max_length": 32, "threads": 1, "device": "cpu", "step": best(learned).step,
        "learned": {"labels": ["bad", "good"]}, "columns": {"text": "text", "label": "label"},
    }  # fmt: skip
    assert verify(folder)
    assert folder.name == f"step-{best(learned).step:08d}"
    saved = [event for event in learned.all(Saved) if event.kind == "model"][-1]
    assert (saved.path, saved.kept) == (f"models/{folder.name}", [best(learned).step])


def test_plain_transformers_gives_the_same_answers(learned: Told) -> None:
    model = AutoModelForSequenceClassification.from_pretrained(best_folder(learned)).eval()
    tokenizer = AutoTokenizer.from_pretrained(best_folder(learned))
    texts = [each.fields["text"] for each in prepare(learned.recipe, learned.folder.parent / "cache").validation]
    assert model.config.id2label == {0: "bad", 1: "good"}
    for text, answer in zip(texts, best(learned).answers, strict=True):
        with torch.inference_mode():
            logits = model(**tokenizer(text, return_tensors="pt")).logits[0].double()
        plain = torch.softmax(logits, dim=0).tolist()
        assert max(abs(one - other) for one, other in zip(plain, answer.output["scores"].values(), strict=True)) < 1e-6


def test_in_the_same_shapes_the_answers_are_equal_to_the_last_bit(learned: Told) -> None:
    model = AutoModelForSequenceClassification.from_pretrained(best_folder(learned)).eval()
    tokenizer = AutoTokenizer.from_pretrained(best_folder(learned))
    data = prepare(learned.recipe, learned.folder.parent / "cache")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    logits = score(data.task, model, tokenizer, data.task.questions(tokenizer, data.validation, 32), 32)
    torch.set_num_threads(before)
    found = [softmax(row) for row in logits]
    assert found == [list(answer.output["scores"].values()) for answer in best(learned).answers]


def test_nothing_that_is_saved_is_a_pickle(learned: Told) -> None:
    saved = [path for path in learned.folder.rglob("*") if path.is_file()]
    assert {path.suffix for path in saved} <= {".json", ".safetensors", ".jinja", ".txt", ".jsonl", ""}
    assert not [
        path for path in saved if path.read_bytes()[:2] == b"\x80\x04" or path.read_bytes()[:4] == b"PK\x03\x04"
    ]


def test_a_folder_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    folder = tiny_backbone(tmp_path / "model")
    for file in folder.glob("tokenizer*"):
        file.unlink()
    with pytest.raises(WorkbenchError, match="no tokenizer"):
        load_tokenizer(folder)
