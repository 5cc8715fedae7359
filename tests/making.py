"""Tiny real things for tests: rows, tokenizers, models."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

GOOD = (
    "a good day",
    "what a good film this was",
    "good",
    "so good, so kind and so very warm to all of us",
    "kind of good",
)
BAD = ("a bad day", "what a bad film this was", "bad", "so bad, so cold and so very rude to all of us", "kind of bad")
ARCHITECTURES = ("bert", "distilbert", "roberta", "albert", "gpt2", "llama")
VOCABULARY = 300


def toy_rows(count: int) -> list[dict[str, Any]]:
    """Return rows of two labels that a word decides; no two texts are the same."""
    rows = []
    for number in range(count):
        texts, label = (GOOD, "good") if number % 2 else (BAD, "bad")
        rows.append({"text": f"{texts[number // 2 % len(texts)]} {number}", "label": label})
    return rows


def write_jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> Path:
    """Write rows as lines of JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def tiny_tokenizer(texts: Sequence[str] = (*GOOD, *BAD)) -> PreTrainedTokenizerBase:
    """Return a byte-level tokenizer: it has a piece for every text."""
    from workbench.training.model import train_tokenizer

    return train_tokenizer(texts, VOCABULARY)


def tiny_model(kind: str, labels: int = 2, **options: Any) -> PreTrainedModel:
    """Return a classifier of one of ARCHITECTURES with two layers, random weights and no dropout."""
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification

    shape: dict[str, Any] = {
        "vocab_size": VOCABULARY, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
        "intermediate_size": 32, "max_position_embeddings": 66, "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0, "pad_token_id": 0,
    }  # fmt: skip
    if kind == "distilbert":
        shape |= {"dim": 16, "hidden_dim": 32, "n_layers": 2, "n_heads": 2, "dropout": 0.0, "attention_dropout": 0.0}
        shape["seq_classif_dropout"] = 0.0
    if kind == "gpt2":
        shape |= {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 66}
        shape |= dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop", "summary_first_dropout"), 0.0)
    if kind == "llama":
        shape |= {"num_key_value_heads": 2}
    if kind == "albert":
        shape |= {"embedding_size": 16, "classifier_dropout_prob": 0.0}
    config = AutoConfig.for_model(kind, **(shape | {"num_labels": labels} | options))
    torch.manual_seed(0)
    return AutoModelForSequenceClassification.from_config(config)


def tiny_backbone(folder: Path, kind: str = "bert", **options: Any) -> Path:
    """Write a tokenizer and a model without a task's head, as the Hub has them; return the folder."""
    model, tokenizer = tiny_model(kind, **options), tiny_tokenizer()
    model.config.pad_token_id = tokenizer.pad_token_id
    model.base_model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
