"""Words: cut by one rule, given to any tokenizer as in running text, and each answered for by one window."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from tests.making import tiny_tokenizer
from tests.shared import MINILM
from workbench.data.features import RowProblem
from workbench.errors import WorkbenchError
from workbench.tasks.words import blank_words, cut_words, pieces_of, said_in, windows_of, words_of
from workbench.training.model import load_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TOKENIZER = tiny_tokenizer()
WORDS = ("Berlin", "is", "good", "", "\x00", "so-so", "a b", "Ünïcode", "\ud800", "中", "[SEP]", "day" * 9)
SENTENCES = some.lists(some.sampled_from(WORDS), max_size=60)


def byte_level(folder: Path, kind: str) -> PreTrainedTokenizerBase:
    """Return a tokenizer of GPT-2's, RoBERTa's or Qwen's kind, as their folders on the Hub give it."""
    import json

    import transformers

    model = json.loads(TOKENIZER.backend_tokenizer.to_str())["model"]
    made = getattr(transformers, kind)(vocab=model["vocab"], merges=[tuple(pair) for pair in model["merges"]])
    made.save_pretrained(folder)
    return load_tokenizer(folder)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Ann Lee's trip, to (East) Berlin.", "Ann Lee ' s trip , to ( East ) Berlin ."),
        ("  e\u0301te\u0301 a_b 3,5 €9\n", "e\u0301te\u0301 a_b 3 , 5 € 9"),
        ("हिन्दी می\u200cخواهم", "हिन्दी می\u200cخواهم"),
        ("!! \x00 🦊🦊", "! ! \x00 🦊 🦊"),
        (" \t ", ""),
    ],
)
def test_words_are_cut_by_the_rule(text: str, words: str) -> None:
    assert words_of(text) == words.split(" ") * bool(words)


@settings(deadline=None)
@given(some.text())
def test_words_hold_all_but_blanks_in_order(text: str) -> None:
    cut = cut_words(text)
    assert all(start < end for start, end in cut)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(cut))
    assert "".join(text[start:end] for start, end in cut) == "".join(text.split())
    assert words_of(" ".join(words_of(text))) == words_of(text)


def test_tokens_are_words_or_a_text_that_has_them() -> None:
    assert said_in({"tokens": ["a", ""]}) == ["a", ""]
    assert said_in({"tokens": '["a", "b c"]'}) == ["a", "b c"]
    assert [said_in({"tokens": text}) for text in ("a b", "[1] a", "[1]", "[a]")] == ["a b", "[1] a", "[1]", "[a]"]
    for row, words in (({}, "holds NoneType"), ({"tokens": 3}, "holds int"), ({"tokens": ["a", 3]}, "int.*word 2")):
        with pytest.raises(RowProblem, match=words):
            said_in(row)


@settings(deadline=None)
@given(SENTENCES)
def test_first_pieces_are_those_of_the_library(words: list[str]) -> None:
    (pieces,) = pieces_of(TOKENIZER, [words])
    if not words:
        assert pieces.ids == []
        return
    written = [word.replace("\ud800", "\ufffd") for word in words]
    batch: Any = TOKENIZER(written, is_split_into_words=True, add_special_tokens=False)
    numbers = batch.word_ids()
    assert pieces.ids == batch["input_ids"]
    assert pieces.firsts == {word: numbers.index(word) for word in sorted({*numbers})}


@settings(deadline=None)
@given(SENTENCES, some.integers(4, 40), some.integers(0, 50))
def test_each_word_is_answered_for_once_and_nothing_is_lost(words: list[str], length: int, overlap: int) -> None:
    (pieces,) = pieces_of(TOKENIZER, [words])
    (windows,) = windows_of(TOKENIZER, [words], length, overlap)
    owned = [word for window in windows for word in window.places]
    assert sorted(owned) == owned == list(pieces.firsts)
    assert all(2 <= len(window.ids) <= length for window in windows)
    for window in windows:
        assert (window.ids[0], window.ids[-1]) == (TOKENIZER.cls_token_id, TOKENIZER.sep_token_id)
        for word, place in window.places.items():
            assert window.ids[place] == pieces.ids[pieces.firsts[word]]
    if len(pieces.ids) + 2 > length:
        assert {len(window.ids) for window in windows} == {length}
    else:
        assert len(windows) == 1


@pytest.mark.parametrize("overlap", [0, 4, 8, 99])
def test_a_word_is_answered_where_the_cuts_are_farthest(overlap: int) -> None:
    size, shared = 16, min(overlap, 8)
    words = [f"{number % 10}" for number in range(100)]
    (pieces,) = pieces_of(TOKENIZER, [words])
    assert len(pieces.ids) == 200  # a blank and a figure
    (windows,) = windows_of(TOKENIZER, [words], size + 2, overlap)
    for window, places in ((each.ids, each.places) for each in windows[1:-1]):
        assert len(window) == size + 2
        assert all(shared // 2 - 1 <= place - 1 <= size - shared // 2 for place in places.values())
    assert next(iter(windows[0].places)) == 0
    assert list(windows[-1].places)[-1] == 99


def test_a_text_without_pieces_has_one_window() -> None:
    from tokenizers.processors import TemplateProcessing

    bare = tiny_tokenizer()
    bare.backend_tokenizer.post_processor = TemplateProcessing(single="$A", pair="$A $B", special_tokens=[])
    for words in ([], [""], ["\x00", ""]):
        ((window,),) = windows_of(bare, [words], 8, 2)
        assert (window.ids, window.places) == ([bare.pad_token_id], {})
        ((window,),) = windows_of(TOKENIZER, [words], 8, 2)
        assert (window.ids, window.places) == ([TOKENIZER.cls_token_id, TOKENIZER.sep_token_id], {})


@pytest.mark.parametrize("kind", ["GPT2Tokenizer", "RobertaTokenizer", "Qwen2Tokenizer"])
def test_words_have_the_pieces_that_they_have_in_a_text(kind: str, tmp_path: Path) -> None:
    words = ["so", "good", "a", "day", "was"]
    tokenizer = byte_level(tmp_path / "raw", kind)
    running: Any = tokenizer("so good a day was", add_special_tokens=False)
    assert pieces_of(tokenizer, [words])[0].ids == running["input_ids"]
    blank_words(tokenizer)
    tokenizer.save_pretrained(tmp_path / "saved")
    again = load_tokenizer(tmp_path / "saved")
    mine = windows_of(tokenizer, [words], 32, 0)
    assert windows_of(again, [words], 32, 0) == mine
    assert pieces_of(again, [words])[0].ids[1:] == running["input_ids"][1:]
    if kind != "Qwen2Tokenizer":
        plain: Any = again(words, is_split_into_words=True)
        assert plain["input_ids"] == mine[0][0].ids


@pytest.mark.shared
@pytest.mark.skipif(not MINILM.exists(), reason="no development weights beside the checkout")
def test_a_real_tokenizer_is_left_as_it_is() -> None:
    tokenizer = load_tokenizer(MINILM)
    before = str(tokenizer.backend_tokenizer.pre_tokenizer)
    blank_words(tokenizer)
    assert str(tokenizer.backend_tokenizer.pre_tokenizer) == before
    words = ["Gdańsk", "\u200b", "isn't", "far", "\x00"]
    plain: Any = tokenizer(words, is_split_into_words=True)
    ((window,),) = windows_of(tokenizer, [words], 32, 0)
    assert window.ids == plain["input_ids"]
    assert list(window.places) == [0, 2, 3]


def test_a_tokenizer_without_word_numbers_is_refused() -> None:
    from transformers import ByT5Tokenizer

    with pytest.raises(WorkbenchError, match="cannot say which word"):
        pieces_of(ByT5Tokenizer(), [["a"]])
