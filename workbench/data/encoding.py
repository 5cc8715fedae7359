"""Text to token numbers to padded tensors: one way for training, evaluation and prompts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

CHUNK = 1000


def encode(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], max_length: int) -> list[list[int]]:
    """Return the token numbers of each text with its special tokens, cut at `max_length`."""
    encoded: list[list[int]] = []
    for start in range(0, len(texts), CHUNK):
        chunk = list(texts[start : start + CHUNK])
        batch: Any = tokenizer(chunk, truncation=True, max_length=max_length, return_attention_mask=False)
        encoded += batch["input_ids"]
    return encoded


def pad(rows: Sequence[Sequence[int]], pad_id: int, width: int = 0) -> dict[str, torch.Tensor]:
    """Return `input_ids` and `attention_mask`, both (rows, width), filled up on the right to the longest or `width`."""
    import torch

    width = max(width, *(len(row) for row in rows))
    return {
        "input_ids": torch.tensor([[*row, *([pad_id] * (width - len(row)))] for row in rows]),
        "attention_mask": torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows]),
    }
