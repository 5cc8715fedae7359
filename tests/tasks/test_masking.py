"""Which tokens are hidden: how many, how, always the same ones for the same draw; and blocks that lose nothing."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tests.making import BAD, GOOD, tiny_tokenizer
from workbench.data.features import IGNORED
from workbench.errors import WorkbenchError
from workbench.tasks.masking import Vocabulary, blocks, mask, masked_count, vocabulary_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

VOCABULARY = Vocabulary(mask=4, size=1000, special=frozenset(range(5)))
TEXTS = [f"{text} {number}" for number in range(20) for text in (*GOOD, *BAD)]


def wordpiece() -> PreTrainedTokenizerBase:
    """Return a WordPiece tokenizer whose longer words are of several pieces."""
    from transformers import BertTokenizerFast

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "day", "film", "##ly", "##ness", "##s", "."]
    return BertTokenizerFast(vocab={word: number for number, word in enumerate(words)})


def test_of_the_hidden_tokens_most_are_masks_a_tenth_is_any_and_a_tenth_stays() -> None:
    ids = [2, *(5 + number % 995 for number in range(100_000)), 3]
    masked, labels = mask(ids, None, VOCABULARY, 0.15, random.Random(1))
    chosen = [place for place, label in enumerate(labels) if label != IGNORED]
    assert len(chosen) == 15_000
    assert all(labels[place] == ids[place] for place in chosen)
    assert [ids[place] for place in range(len(ids)) if labels[place] == IGNORED] == [
        masked[place] for place in range(len(ids)) if labels[place] == IGNORED
    ]
    masks = sum(masked[place] == VOCABULARY.mask for place in chosen) / len(chosen)
    stays = sum(masked[place] == ids[place] for place in chosen) / len(chosen)
    # Three standard deviations of a share of 15 000.
    assert masks == pytest.approx(0.8, abs=0.0098)
    assert stays == pytest.approx(0.1, abs=0.0074)
    other = {masked[place] for place in chosen if masked[place] not in (VOCABULARY.mask, ids[place])}
    assert len(other) > 700
    halves = sum(place < len(ids) // 2 for place in chosen) / len(chosen)
    assert halves == pytest.approx(0.5, abs=0.012)


@given(some.lists(some.integers(0, 999), max_size=60), some.floats(0.01, 0.99), some.integers(0, 99))
def test_at_least_one_token_is_hidden_and_no_special_one(ids: list[int], share: float, seed: int) -> None:
    masked, labels = mask(ids, None, VOCABULARY, share, random.Random(seed))
    plain = [place for place, token in enumerate(ids) if token not in VOCABULARY.special]
    chosen = [place for place, label in enumerate(labels) if label != IGNORED]
    assert set(chosen) <= set(plain)
    assert len(chosen) == (masked_count(len(plain), share) if plain else 0)
    assert len(masked) == len(labels) == len(ids)
    assert masked_count(len(plain), share) <= masked_count(len(ids), share)


@pytest.mark.parametrize("tokenizer", [wordpiece(), tiny_tokenizer()], ids=["WordPiece", "byte-level BPE"])
def test_whole_words_are_hidden_whole(tokenizer: PreTrainedTokenizerBase) -> None:
    words = ["goodly", "badness", "days", "film", "films", "."] * 8
    (row,) = blocks(tokenizer, [" ".join(words)], 512, whole_words=True)
    told = row.info["words"]
    # A word is one number for all of its tokens, and another one than its neighbours'.
    assert [told[0], told[-1]] == [-1, -1]
    assert len(set(told)) == len(words) + 1
    assert any(told.count(word) > 1 for word in set(told) - {-1})
    vocabulary = vocabulary_of(tokenizer)
    for seed in range(30):
        _, labels = mask(row.ids, told, vocabulary, 0.3, random.Random(seed))
        hidden = {word for word, label in zip(told, labels, strict=True) if label != IGNORED}
        shown = {word for word, label in zip(told, labels, strict=True) if label == IGNORED}
        assert hidden
        assert not hidden & shown
        assert sum(label != IGNORED for label in labels) <= masked_count(len(row.ids) - 2, 0.3)


def test_a_word_that_is_more_than_the_share_is_hidden_where_there_is_no_other() -> None:
    _, labels = mask([2, 7, 8, 9, 3], [-1, 0, 0, 0, -1], VOCABULARY, 0.15, random.Random(0))
    assert labels == [IGNORED, 7, 8, 9, IGNORED]


@pytest.mark.parametrize("max_length", [8, 31, 128])
@pytest.mark.parametrize("whole_words", [False, True])
def test_blocks_lose_nothing(max_length: int, whole_words: bool) -> None:
    tokenizer = tiny_tokenizer()
    rows = blocks(tokenizer, TEXTS, max_length, whole_words)
    assert {len(row.ids) for row in rows[:-1]} == {max_length}
    assert 3 <= len(rows[-1].ids) <= max_length
    assert all((row.ids[0], row.ids[-1]) == (tokenizer.cls_token_id, tokenizer.sep_token_id) for row in rows)
    joined = [token for row in rows for token in row.ids[1:-1]]
    expected: list[int] = []
    for text in TEXTS:
        expected += [tokenizer.sep_token_id] if expected else []
        expected += tokenizer(text, add_special_tokens=False)["input_ids"]
    assert joined == expected
    assert [row.example for row in rows] == sorted(row.example for row in rows)
    assert rows[0].example == 0
    for row in rows:
        begins = tokenizer.decode([token for token in row.ids[1:-1] if token != tokenizer.sep_token_id][:3]).strip()
        assert begins in f"{TEXTS[row.example]} {TEXTS[min(row.example + 1, len(TEXTS) - 1)]}"
        assert whole_words == (row.info["words"] is not None)


def test_texts_without_tokens_leave_no_trace() -> None:
    tokenizer = tiny_tokenizer()
    plain = blocks(tokenizer, ["good", "bad"], 16, False)
    assert [row.ids for row in blocks(tokenizer, ["", "good", "", "bad", ""], 16, False)] == [row.ids for row in plain]
    assert blocks(tokenizer, [""], 16, False) == []


def test_a_tokenizer_without_a_mask_is_refused() -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.mask_token = None
    with pytest.raises(WorkbenchError, match="no mask token"):
        vocabulary_of(tokenizer)
