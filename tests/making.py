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
VOCABULARY = 300
_ENCODER = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
    "max_position_embeddings": 66,
}  # fmt: skip
_PAIRED = {
    "d_model": 16, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 2,
    "decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "max_position_embeddings": 66,
    "eos_token_id": 3, "forced_eos_token_id": None,
}  # fmt: skip
_DECODER = _ENCODER | {"num_key_value_heads": 2, "bos_token_id": 2, "eos_token_id": 3}
SHAPES: dict[str, dict[str, Any]] = {
    "bert": _ENCODER,
    "distilbert": {"dim": 16, "hidden_dim": 32, "n_layers": 2, "n_heads": 2, "max_position_embeddings": 66},
    "roberta": _ENCODER,
    "deberta-v2": _ENCODER | {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "type_vocab_size": 0},
    "modernbert": _ENCODER
    | {"global_attn_every_n_layers": 2, "local_attention": 16, "cls_token_id": 2, "sep_token_id": 3,
       "bos_token_id": 2, "eos_token_id": 3},
    "electra": _ENCODER | {"embedding_size": 16},
    "mpnet": _ENCODER,
    "albert": _ENCODER | {"embedding_size": 16},
    "gpt2": {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 66, "bos_token_id": 2, "eos_token_id": 3},
    "llama": _DECODER,
    "qwen2": _DECODER,
    "gemma": _DECODER | {"head_dim": 8},
    "t5": {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2, "decoder_start_token_id": 0,
           "eos_token_id": 3},
    "bart": _PAIRED | {"decoder_start_token_id": 2, "bos_token_id": 2},
    "marian": _PAIRED | {"decoder_start_token_id": 0, "decoder_vocab_size": VOCABULARY},
}  # fmt: skip
"""Each architecture as small as it goes: two layers, and the special tokens of `tiny_tokenizer`."""

ARCHITECTURES = tuple(SHAPES)
TWO_SIDED = ("bert", "electra", "albert")
"""Architectures that are told which of two texts a token is of."""

DROPOUTS = (
    *("hidden_dropout_prob", "attention_probs_dropout_prob", "dropout", "attention_dropout", "activation_dropout"),
    *("dropout_rate", "resid_pdrop", "embd_pdrop", "attn_pdrop", "embedding_dropout", "mlp_dropout"),
    *("classifier_dropout", "classifier_dropout_prob", "seq_classif_dropout", "summary_first_dropout"),
)


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


def tiny_tokenizer(texts: Sequence[str] = (*GOOD, *BAD), *, types: bool = True) -> PreTrainedTokenizerBase:
    """Return a byte-level tokenizer: it has a piece for every text; with `types` it tells a second text apart."""
    from workbench.training.model import train_tokenizer

    return train_tokenizer(texts, VOCABULARY, types=types)


def tiny_model(
    kind: str, labels: int = 2, auto: str = "AutoModelForSequenceClassification", **options: Any
) -> PreTrainedModel:
    """Return a model of one of ARCHITECTURES with a head, random weights and no dropout."""
    import torch
    import transformers

    shape = SHAPES[kind] | {"vocab_size": VOCABULARY, "pad_token_id": 0, "num_labels": labels} | options
    config = transformers.AutoConfig.for_model(kind, **shape)
    for name in DROPOUTS:
        if getattr(config, name, None) is not None:
            setattr(config, name, 0.0)
    torch.manual_seed(0)
    model: PreTrainedModel = getattr(transformers, auto).from_config(config)
    return model


def tiny_backbone(folder: Path, kind: str = "bert", **options: Any) -> Path:
    """Write a tokenizer and a model without a task's head, as the Hub has them; return the folder."""
    model = tiny_model(kind, auto="AutoModel", **options)
    model.save_pretrained(folder)
    tiny_tokenizer(types=kind in TWO_SIDED).save_pretrained(folder)
    return folder
