"""Text to token numbers to padded tensors: one way for training, evaluation and prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from store.texts import HALF_A_PAIR
from workbench.data.features import IGNORED, Feature, Shape

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

CHUNK = 1000


@dataclass(frozen=True)
class Encoded:
    """Token numbers of a text, special tokens included; `whole` counts those that it has before it is cut.

    `types` tells a second text from the first, where there is one and the model tells them apart.
    """

    ids: list[int]
    whole: int
    types: list[int] | None = None


def encode(
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    max_length: int | None,
    pairs: Sequence[str] | None = None,
) -> list[Encoded]:
    """Return the tokens of each text, or of each text and its pair, cut at `max_length` where there is one.

    A text that has no tokens is one padding token, for no model takes nothing; half a surrogate pair is U+FFFD.
    """
    encoded: list[Encoded] = []
    for start in range(0, len(texts), CHUNK):
        second = pairs[start : start + CHUNK] if pairs is not None else None
        batch = _tokenize(tokenizer, texts[start : start + CHUNK], second, max_length)
        encoded += [_encoded(tokenizer, ids, types) for ids, types in batch]
    if max_length is None:
        return encoded
    cut = [number for number, each in enumerate(encoded) if len(each.ids) >= max_length]
    whole = encode(tokenizer, [texts[n] for n in cut], None, [pairs[n] for n in cut] if pairs is not None else None)
    for number, uncut in zip(cut, whole, strict=True):
        encoded[number] = Encoded(encoded[number].ids, len(uncut.ids), encoded[number].types)
    return encoded


def collate(
    features: Sequence[Feature], tokenizer: PreTrainedTokenizerBase, shape: Shape | None = None, *, left: bool = False
) -> dict[str, torch.Tensor]:
    """Return `input_ids` and `attention_mask` (rows, tokens), and where the features have them `token_type_ids`
    (rows, tokens) and `labels` (rows) or (rows, tokens), filled up to the longest or to `shape`.

    Filled up on the right, or on the left where text is to be written on at the right.
    """
    import torch

    width = shape.width if shape else max(len(feature.ids) for feature in features)
    batch = {
        "input_ids": torch.tensor([fill(each.ids, width, pad_of(tokenizer), left) for each in features]),
        "attention_mask": torch.tensor([fill([1] * len(each.ids), width, 0, left) for each in features]),
    }
    if any(each.types for each in features):
        types = [fill(each.types or [0] * len(each.ids), width, 0, left) for each in features]
        batch["token_type_ids"] = torch.tensor(types)
    labels = [each.labels for each in features]
    if any(each is None for each in labels):
        return batch
    if isinstance(labels[0], list) and labels[0] and isinstance(labels[0][0], int):
        label_width = shape.label_width if shape else max(len(each) for each in labels)
        labels = [fill(each, label_width, IGNORED, left) for each in labels]
    batch["labels"] = torch.tensor(labels)
    return batch


def fill(row: Sequence[int], width: int, value: int, left: bool = False) -> list[int]:
    """Return a row filled up with a value to a width."""
    filling = [value] * (width - len(row))
    return [*filling, *row] if left else [*row, *filling]


def pad_of(tokenizer: PreTrainedTokenizerBase) -> int:
    """Return the number of the token that fills up rows."""
    pad = tokenizer.pad_token_id
    assert isinstance(pad, int)
    return pad


def _tokenize(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], pairs: Sequence[str] | None, max_length: int | None
) -> list[tuple[list[int], list[int] | None]]:
    sides: list[Any] = [
        [HALF_A_PAIR.sub("\ufffd", text) for text in side] for side in (texts, pairs) if side is not None
    ]
    if not sides[0]:
        return []
    batch: Any = tokenizer(
        *sides, truncation=max_length is not None, max_length=max_length, return_attention_mask=False
    )
    types = batch["token_type_ids"] if pairs is not None and "token_type_ids" in batch else [None] * len(sides[0])
    return list(zip(batch["input_ids"], types, strict=True))


def _encoded(tokenizer: PreTrainedTokenizerBase, ids: list[int], types: list[int] | None) -> Encoded:
    ids = ids or [pad_of(tokenizer)]
    return Encoded(ids, len(ids), types if types and any(types) else None)
