"""A question and its context as rows of tokens: a context too long for one row is read in windows that overlap."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from store.texts import HALF_A_PAIR
from workbench.data.encoding import CHUNK
from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Window:
    """The question and a part of the context, as a model reads them.

    `first` is the first token of the context, `starts` and `ends` are the characters of the context that its tokens
    stand for; `null` is the token that stands for "no answer"; `cut` counts the question's tokens that were left out.
    """

    ids: list[int]
    types: list[int] | None
    first: int
    starts: array[int]
    ends: array[int]
    null: int
    cut: int

    def find(self, start: int, end: int) -> tuple[int, int]:
        """Return the first and last token of the characters `start` to `end`, or `null` twice where some are not here.

        Blanks at the ends do not count: to some tokenizers they belong to no token.
        """
        spans = enumerate(zip(self.starts, self.ends, strict=True))
        touched = [number for number, (first, last) in spans if first < end and last > start]
        if not touched or self.starts[touched[0]] > start or self.ends[touched[-1]] < end:
            return self.null, self.null
        return self.first + touched[0], self.first + touched[-1]


def windows(
    tokenizer: PreTrainedTokenizerBase, questions: Sequence[str], contexts: Sequence[str], max_length: int, stride: int
) -> list[list[Window]]:
    """Return the windows of each question and its context, of `max_length` tokens at most.

    Neighbours share `stride` tokens, or half of the room where that is less. A question takes half of a row at most.
    """
    if not tokenizer.is_fast:
        raise WorkbenchError(
            "its tokenizer does not tell where in a text a token stands", "backbone", "Pick another backbone."
        )
    room = max_length - tokenizer.num_special_tokens_to_add(pair=True)
    if room < 2:
        raise WorkbenchError(
            f"{max_length} tokens have no room for a question and a context", "training.max_length", "Take more."
        )
    asked = _shortened(tokenizer, [HALF_A_PAIR.sub("\ufffd", each) for each in questions], room // 2)
    overlaps: dict[int, list[int]] = {}
    for number, (_, tokens, _) in enumerate(asked):
        overlaps.setdefault(min(stride, (room - tokens) // 2), []).append(number)
    found: list[list[Window]] = [[] for _ in questions]
    for overlap, numbers in overlaps.items():
        for start in range(0, len(numbers), CHUNK):
            chunk = numbers[start : start + CHUNK]
            pairs = [asked[number][0] for number in chunk], [HALF_A_PAIR.sub("\ufffd", contexts[n]) for n in chunk]
            batch = tokenizer(
                *pairs,
                truncation="only_second",
                max_length=max_length,
                stride=overlap,
                return_overflowing_tokens=True,
                return_offsets_mapping=True,
                return_attention_mask=False,
            )
            for row, sample in enumerate(batch["overflow_to_sample_mapping"]):
                number = chunk[sample]
                found[number].append(_window(tokenizer, batch, row, asked[number][2]))
    return found


def _shortened(tokenizer: PreTrainedTokenizerBase, questions: Sequence[str], limit: int) -> list[tuple[str, int, int]]:
    """Return each question without what is beyond so many tokens, how many it has, and how many are left out."""
    asked: list[tuple[str, int, int]] = []
    for start in range(0, len(questions), CHUNK):
        chunk = questions[start : start + CHUNK]
        for question, spans in zip(chunk, _spans(tokenizer, chunk), strict=True):
            whole, kept = len(spans), question
            while len(spans) > limit:
                kept = kept[: min(spans[limit][0], len(kept) - 1)]
                (spans,) = _spans(tokenizer, [kept])
            asked.append((kept, len(spans), whole - len(spans)))
    return asked


def _spans(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[list[tuple[int, int]]]:
    batch: Any = tokenizer(list(texts), add_special_tokens=False, return_offsets_mapping=True)
    spans: list[list[tuple[int, int]]] = batch["offset_mapping"]
    return spans


def _window(tokenizer: PreTrainedTokenizerBase, batch: Any, row: int, cut: int) -> Window:
    ids, sides, offsets = batch["input_ids"][row], batch.sequence_ids(row), batch["offset_mapping"][row]
    context = [number for number, side in enumerate(sides) if side == 1]
    types = batch["token_type_ids"][row] if "token_type_ids" in batch else None
    cls = (number for number, side in enumerate(sides) if side is None and ids[number] == tokenizer.cls_token_id)
    return Window(
        ids=ids or [tokenizer.pad_token_id],
        types=types if types and any(types) else None,
        first=context[0] if context else 0,
        starts=array("i", [offsets[number][0] for number in context]),
        ends=array("i", [offsets[number][1] for number in context]),
        null=next(cls, 0),
        cut=cut,
    )
