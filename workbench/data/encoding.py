"""Text to token numbers to padded tensors: one way for training, evaluation and prompts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

CHUNK = 1000
HALF_A_PAIR = re.compile("[\ud800-\udfff]")
"""What no UTF-8 text has, but an argument of a command or an escape in JSON may."""


def encode(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], max_length: int | None) -> list[list[int]]:
    """Return the token numbers of each text with its special tokens, cut at `max_length` where there is one.

    A text that has no tokens is one padding token, for no model takes nothing; half a surrogate pair is U+FFFD.
    """
    encoded: list[list[int]] = []
    for start in range(0, len(texts), CHUNK):
        chunk = [HALF_A_PAIR.sub("\ufffd", text) for text in texts[start : start + CHUNK]]
        batch: Any = tokenizer(
            chunk, truncation=max_length is not None, max_length=max_length, return_attention_mask=False
        )
        encoded += [ids or [tokenizer.pad_token_id] for ids in batch["input_ids"]]
    return encoded


def pad(rows: Sequence[Sequence[int]], pad_id: int, width: int = 0) -> dict[str, torch.Tensor]:
    """Return `input_ids` and `attention_mask`, both (rows, width), filled up on the right to the longest or `width`."""
    import torch

    width = max(width, *(len(row) for row in rows))
    return {
        "input_ids": torch.tensor([[*row, *([pad_id] * (width - len(row)))] for row in rows]),
        "attention_mask": torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows]),
    }
