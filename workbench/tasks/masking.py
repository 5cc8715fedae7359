"""Texts to blocks, and which of their tokens a masked language model is asked for."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from store.texts import HALF_A_PAIR
from workbench.data.encoding import CHUNK
from workbench.data.features import IGNORED, Feature
from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SHARE = 0.15
"""Share of the tokens that is asked for (Devlin et al. 2019, section 3.1); in evaluation always this one."""

NO_WORD = -1
"""The word that a special token is of."""


@dataclass(frozen=True)
class Vocabulary:
    """What masking knows of a tokenizer: the number of its mask, of its `special` tokens, and how many there are."""

    mask: int
    size: int
    special: frozenset[int]


def vocabulary_of(tokenizer: PreTrainedTokenizerBase) -> Vocabulary:
    """Return the vocabulary of a tokenizer; raise a WorkbenchError where it has no mask."""
    mask = tokenizer.mask_token_id
    if not isinstance(mask, int):
        raise WorkbenchError(
            "the backbone's tokenizer has no mask token",
            where="backbone.name",
            hint="Pick a backbone that has one, such as a BERT, or size:tiny.",
        )
    return Vocabulary(mask, len(tokenizer), frozenset(tokenizer.all_special_ids))


def masked_count(tokens: int, share: float) -> int:
    """Return how many of some tokens are masked: the share, but one at least."""
    return max(1, round(tokens * share))


def mask(
    ids: Sequence[int], words: Sequence[int] | None, vocabulary: Vocabulary, share: float, draw: random.Random
) -> tuple[list[int], list[int]]:
    """Return the tokens with some of them masked, and the labels: the token where one is asked for, else IGNORED.

    Of the chosen ones 80 % become the mask, 10 % any token, and 10 % stay (Devlin et al. 2019, section 3.1). With
    `words`, the number of the word that each token is of, whole words are chosen. Special tokens never are.
    """
    places = [place for place, token in enumerate(ids) if token not in vocabulary.special]
    masked, labels = list(ids), [IGNORED] * len(ids)
    if not places:
        return masked, labels
    count = masked_count(len(places), share)
    chosen = _whole_words(places, words, count, draw) if words else draw.sample(places, count)
    for place in chosen:
        labels[place] = ids[place]
        chance = draw.random()
        if chance < 0.8:
            masked[place] = vocabulary.mask
        elif chance < 0.9:
            masked[place] = draw.randrange(vocabulary.size)
    return masked, labels


def blocks(
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    max_length: int,
    whole_words: bool,
    joined: bool = True,
) -> list[Feature]:
    """Return the texts as rows of `max_length` tokens: joined by the separator, cut, each between the special tokens.

    The last row may be shorter. `example` is the text that a row begins in. Unless `joined`, each text begins a row.
    """
    vocabulary, (first, last) = vocabulary_of(tokenizer), _ends(tokenizer)
    divider = [] if tokenizer.sep_token_id is None or not joined else [tokenizer.sep_token_id]
    room = max_length - len(first) - len(last)
    stream: list[int] = []
    words: list[int] = []
    starts: list[int] = []
    cuts: list[int] = []
    for tokens, numbers in _tokens(tokenizer, texts):
        before = divider if stream and tokens else []
        starts.append(len(stream) + len(before))
        words += [NO_WORD] * len(before) + [number + starts[-1] for number in numbers]
        stream += [*before, *tokens]
        cuts += range(starts[-1], len(stream), room) if not joined else ()
    cuts = cuts or list(range(0, len(stream), room))
    rows = []
    for start, end in pairwise([*cuts, len(stream)]):
        ids = [*first, *stream[start:end], *last]
        told = [NO_WORD] * len(first) + words[start:end] + [NO_WORD] * len(last)
        info = {"vocabulary": vocabulary, "words": told if whole_words else None}
        rows.append(Feature(bisect_right(starts, start) - 1, ids, info=info))
    return rows


def _whole_words(places: Sequence[int], words: Sequence[int], count: int, draw: random.Random) -> list[int]:
    """Return the places of whole words, `count` at most: but a word that is longer where there is no other."""
    found: dict[int, list[int]] = {}
    for place in places:
        found.setdefault(words[place], []).append(place)
    order = list(found.values())
    draw.shuffle(order)
    chosen: list[int] = []
    for word in order:
        if len(chosen) + len(word) <= count:
            chosen += word
    return chosen or order[0]


def _tokens(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> Iterator[tuple[list[int], list[int]]]:
    """Yield the tokens of each text without special ones, and the number of the word that each is of."""
    for start in range(0, len(texts), CHUNK):
        chunk = [HALF_A_PAIR.sub("\ufffd", text) for text in texts[start : start + CHUNK]]
        batch = tokenizer(chunk, add_special_tokens=False, return_attention_mask=False)
        for row, ids in enumerate(batch["input_ids"]):
            yield ids, [NO_WORD if word is None else word for word in batch.word_ids(row)]


def _ends(tokenizer: PreTrainedTokenizerBase) -> tuple[list[int], list[int]]:
    """Return the special tokens before and after a text."""
    encoded = tokenizer("a", return_special_tokens_mask=True)
    inside = [number for number, special in enumerate(encoded["special_tokens_mask"]) if not special]
    ids: list[int] = encoded["input_ids"]
    return ids[: inside[0]], ids[inside[-1] + 1 :]
