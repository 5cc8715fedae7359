"""A long context is read in windows: nothing of it is lost, and each token knows its characters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.making import tiny_tokenizer
from workbench.errors import WorkbenchError
from workbench.tasks.passages import windows

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

QUESTION = "what is good"
CONTEXT = "so good, so kind and so very warm to all of us; é 🦊 中, what a bad day this was   (so cold)" * 3
TEMPLATES = {
    "BERT": ("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", 0),
    "RoBERTa": ("[CLS] $A [SEP]", "[CLS] $A [SEP] [SEP] $B [SEP]", 0),
    "XLNet": ("$A [SEP] [CLS]", "$A [SEP] $B:1 [SEP]:1 [CLS]", -1),
    "Llama": ("[SEP] $A", "[SEP] $A [SEP] $B", 0),
    "GPT-2": ("$A", "$A $B", 0),
}
"""How tokenizers put a text and a pair together, and where their token for the whole is."""


def tokenizer_of(template: str, side: str = "right") -> PreTrainedTokenizerBase:
    from tokenizers.processors import TemplateProcessing

    tokenizer = tiny_tokenizer(types=template in ("BERT", "XLNet"))
    ends = [(name, tokenizer.convert_tokens_to_ids(name)) for name in ("[CLS]", "[SEP]")]
    single, pair, _ = TEMPLATES[template]
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single=single, pair=pair, special_tokens=ends)
    if template in ("Llama", "GPT-2"):
        tokenizer.cls_token = None
    tokenizer.padding_side = side
    return tokenizer


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("template", TEMPLATES)
def test_windows_hold_the_whole_context(template: str, side: str) -> None:
    tokenizer = tokenizer_of(template, side)
    (found,) = windows(tokenizer, [QUESTION], [CONTEXT], 40, 8)
    whole = tokenizer(CONTEXT, add_special_tokens=False)["input_ids"]
    asked = tokenizer(QUESTION, add_special_tokens=False)["input_ids"]
    assert len(found) > 5
    joined: list[int] = []
    for window in found:
        part = window.ids[window.first : window.first + len(window.starts)]
        assert len(window.ids) <= 40
        assert joined[len(joined) - 8 :] == part[:8] or not joined
        joined += part[8 if joined else 0 :]
        assert str(asked)[1:-1] in str(window.ids[: window.first])
        assert window.ids[window.null] == tokenizer.cls_token_id or template in ("Llama", "GPT-2")
        assert window.null == TEMPLATES[template][2] % len(window.ids)
        assert (window.types is not None) is (template in ("BERT", "XLNet"))
        assert window.cut == 0
    assert joined == whole


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_token_knows_its_characters(template: str) -> None:
    for window in windows(tokenizer_of(template), [QUESTION], [CONTEXT], 40, 8)[0]:
        for number, (start, end) in enumerate(zip(window.starts, window.ends, strict=True)):
            piece = CONTEXT[start:end]
            assert start <= end <= len(CONTEXT)
            if piece.strip() and piece.isascii():
                decoded = tokenizer_of(template).decode([window.ids[window.first + number]])
                assert decoded.strip() == piece.strip()


def test_an_answer_is_found_where_a_window_holds_it_whole() -> None:
    tokenizer = tokenizer_of("BERT")
    for answer in ("kind", "so very warm", "bad day", "é 🦊 中", "s"):
        start = CONTEXT.rindex(answer)
        end, holding = start + len(answer), 0
        for window in windows(tokenizer, [QUESTION], [CONTEXT], 60, 20)[0]:
            first, last = window.find(start, end)
            inside = window.starts[0] <= start and end <= window.ends[-1]
            assert (first, last) == (window.null, window.null) or inside
            if inside:
                holding += 1
                assert answer in CONTEXT[window.starts[first - window.first] : window.ends[last - window.first]]
                assert window.ends[first - window.first] > start
                assert window.starts[last - window.first] < end
        assert holding > 0


def test_the_company_of_a_question_does_not_change_its_windows() -> None:
    tokenizer = tokenizer_of("RoBERTa")
    asked = [(QUESTION, CONTEXT), ("x" * 300, CONTEXT), ("good", "bad"), ("what " * 9, CONTEXT[:100])]
    together = windows(tokenizer, [one for one, _ in asked], [other for _, other in asked], 32, 12)
    assert together == [windows(tokenizer, [one], [other], 32, 12)[0] for one, other in asked]


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("question", ["good " * 100, "🦊" * 100, "x" * 500, "é中 " * 99])
def test_a_question_takes_half_of_a_row_at_most(template: str, question: str) -> None:
    tokenizer = tokenizer_of(template)
    special = tokenizer.num_special_tokens_to_add(pair=True)
    for limit in (6, 7, 16, 33):
        (found,) = windows(tokenizer, [question], [CONTEXT], limit, 128)
        for window in found:
            asked = len(window.ids) - special - len(window.starts)
            assert asked <= (limit - special) // 2
            assert len(window.ids) <= limit
            assert window.cut == len(tokenizer(question, add_special_tokens=False)["input_ids"]) - asked
        assert found[-1].ends[-1] == len(CONTEXT)


@pytest.mark.parametrize("template", TEMPLATES)
def test_nothing_can_be_asked_about_nothing(template: str) -> None:
    for question, context in (("", ""), ("good", ""), ("", "good"), (" ", " "), ("\ud800", "\udfff")):
        ((window, *more),) = windows(tokenizer_of(template), [question], [context], 16, 4)
        assert not more
        assert window.ids
        assert window.null < len(window.ids)


def test_rows_without_room_are_refused() -> None:
    with pytest.raises(WorkbenchError, match="5 tokens have no room for a question and a context"):
        windows(tokenizer_of("RoBERTa"), [QUESTION], [CONTEXT], 5, 8)
    assert windows(tokenizer_of("RoBERTa"), [], [], 16, 8) == []
