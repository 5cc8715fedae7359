"""What tasks on words share: the words of a text, their pieces, and windows of them."""

from __future__ import annotations

import unicodedata
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from store.texts import HALF_A_PAIR
from workbench.data.encoding import CHUNK, pad_of
from workbench.data.features import RowProblem
from workbench.errors import WorkbenchError
from workbench.tasks.tags import listed

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

JOINERS = "_\u200c\u200d"
"""What stands within a word though it is no letter: low line, and what joins or parts letters of some scripts."""


@dataclass(frozen=True)
class Pieces:
    """Token numbers of some words without special tokens; `firsts` maps a word's number to the place of its first.

    A word that the tokenizer has nothing for, such as a control character, is not in `firsts`.
    """

    ids: list[int]
    firsts: dict[int, int]


@dataclass(frozen=True)
class Window:
    """Token numbers, special tokens included; `places` maps the words that it answers for to their first pieces."""

    ids: list[int]
    places: dict[int, int]


def cut_words(text: str) -> list[tuple[int, int]]:
    """Return where the words of a text start and end, in characters.

    A word is a run of letters, digits and low lines, with the marks on them; any other character is a word of its
    own, and blanks are in none.
    """
    words: list[tuple[int, int]] = []
    for inside, run in groupby(range(len(text)), key=lambda place: _in_word(text[place])):
        places = list(run)
        if inside:
            words.append((places[0], places[-1] + 1))
        else:
            words += [(place, place + 1) for place in places if not text[place].isspace()]
    return words


def said_in(row: dict[str, Any]) -> str | list[str]:
    """Return the words that a row has as its tokens, or the text that has them; a list may be a text in JSON.

    Raise a RowProblem where it has neither.
    """
    said = row.get("tokens")
    if isinstance(said, str):
        words = listed(said)
        return words if isinstance(words, list) and all(isinstance(word, str) for word in words) else said
    if not isinstance(said, list):
        raise RowProblem(f"holds {type(said).__name__}, neither words nor text", "tokens")
    for number, word in enumerate(said, 1):
        if not isinstance(word, str):
            raise RowProblem(f"holds {type(word).__name__}, not text, as word {number}", "tokens")
    return said


def words_of(said: str | list[str]) -> list[str]:
    """Return words as they are, those of a text by the rule of `cut_words`."""
    return said if isinstance(said, list) else [said[start:end] for start, end in cut_words(said)]


def pieces_of(tokenizer: PreTrainedTokenizerBase, rows: Sequence[Sequence[str]]) -> list[Pieces]:
    """Return the pieces of the words of each row, the same as in a text where a blank stands between words."""
    if not tokenizer.is_fast:
        raise WorkbenchError("its tokenizer cannot say which word a piece is of", where="backbone.name")
    blank = _blank_before(tokenizer)
    pieces: list[Pieces] = []
    for start in range(0, len(rows), CHUNK):
        chunk = [[HALF_A_PAIR.sub("\ufffd", word) for word in words] for words in rows[start : start + CHUNK]]
        written = [[*words[:1], *(blank + word if word else "" for word in words[1:])] for words in chunk]
        batch = _tokenize(tokenizer, written)
        pieces += [_pieces(ids, batch.word_ids(number)) for number, ids in enumerate(batch["input_ids"])]
    return pieces


def windows_of(
    tokenizer: PreTrainedTokenizerBase, rows: Sequence[Sequence[str]], max_length: int, overlap: int
) -> list[list[Window]]:
    """Return the words of each row in windows of at most `max_length` tokens; one window answers for each word.

    Windows overlap by `overlap` pieces, at most by half, and the last is as long as the others. A word belongs to the
    window in which its first piece is farthest from a cut. A row without pieces has one window.
    """
    before, after = _ends(tokenizer)
    size = max(1, max_length - len(before) - len(after))
    windows: list[list[Window]] = []
    for pieces in pieces_of(tokenizer, rows):
        count = len(pieces.ids)
        starts = _starts(count, size, size - min(overlap, size // 2))
        places: list[dict[int, int]] = [{} for _ in starts]
        owners = _owners(list(pieces.firsts.values()), starts, size, count)
        for (word, place), owner in zip(pieces.firsts.items(), owners, strict=True):
            places[owner][word] = len(before) + place - starts[owner]
        ids = [[*before, *pieces.ids[start : start + size], *after] or [pad_of(tokenizer)] for start in starts]
        windows.append([Window(*each) for each in zip(ids, places, strict=True)])
    return windows


def blank_words(tokenizer: PreTrainedTokenizerBase) -> None:
    """Make a byte-level tokenizer write the blank before words that come one by one, also where it is saved.

    Without, those of GPT-2 and RoBERTa read such words as if they were grown together.
    """
    import json

    from tokenizers import pre_tokenizers

    if not tokenizer.is_fast or not _blank_before(tokenizer):
        return
    state = json.loads(tokenizer.backend_tokenizer.pre_tokenizer.__getstate__())
    if state["type"] == "ByteLevel":
        options = {**state, "add_prefix_space": True}
        options.pop("type")
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(**options)
        tokenizer.add_prefix_space = True
        tokenizer.init_kwargs["add_prefix_space"] = True


def _in_word(char: str) -> bool:
    return char.isalnum() or char in JOINERS or unicodedata.category(char).startswith("M")


def _tokenize(tokenizer: PreTrainedTokenizerBase, rows: Sequence[Sequence[str]], special: bool = False) -> Any:
    return tokenizer(
        [list(words) for words in rows],
        is_split_into_words=True,
        add_special_tokens=special,
        return_attention_mask=False,
        verbose=False,
    )


def _blank_before(tokenizer: PreTrainedTokenizerBase) -> str:
    """Return what to write before a word so that it has the pieces that it has within a text."""
    running: Any = tokenizer("a a", add_special_tokens=False)
    for blank in ("", " "):
        if _tokenize(tokenizer, [["a", f"{blank}a"]])["input_ids"][0] == running["input_ids"]:
            return blank
    return ""


def _pieces(ids: list[int], words: Sequence[int | None]) -> Pieces:
    firsts: dict[int, int] = {}
    for place, word in enumerate(words):
        if word is not None:
            firsts.setdefault(word, place)
    return Pieces(list(ids), firsts)


def _ends(tokenizer: PreTrainedTokenizerBase) -> tuple[list[int], list[int]]:
    """Return the special tokens that stand before and after a text."""
    batch = _tokenize(tokenizer, [["a"]], special=True)
    ids, words = batch["input_ids"][0], batch.word_ids(0)
    own = [place for place, word in enumerate(words) if word is not None]
    return ids[: own[0]], ids[own[-1] + 1 :]


def _starts(count: int, size: int, step: int) -> list[int]:
    last = max(0, count - size)
    return [*range(0, last, step), last]


def _owners(places: Sequence[int], starts: Sequence[int], size: int, count: int) -> list[int]:
    """Return for each of some pieces, in their order, the window in which it is farthest from a cut."""
    best = [(-1, 0)] * len(places)
    for number, start in enumerate(starts):
        end = min(start + size, count)
        for nth in range(bisect_left(places, start), bisect_left(places, end)):
            left = places[nth] - start if start > 0 else count
            right = end - 1 - places[nth] if end < count else count
            if min(left, right) > best[nth][0]:
                best[nth] = (min(left, right), number)
    return [number for _, number in best]
