"""Turns of a conversation to one row of tokens: by the tokenizer's chat template, or by a plain one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.data.features import IGNORED, RowProblem
from workbench.errors import WorkbenchError
from workbench.tasks.causal import end_of, start_of, tokens_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

ASSISTANT = "assistant"
SPEAKERS = {
    "system": "system",
    "user": "user",
    "human": "user",
    "assistant": ASSISTANT,
    "gpt": ASSISTANT,
    "model": ASSISTANT,
}
"""What files call who speaks."""

HEADS = {"system": "### System:\n", "user": "### Instruction:\n", ASSISTANT: "### Response:\n"}
"""What stands before a turn in the plain template."""

ANSWER_SHARE = 4
"""One token of this many is kept for the answer where what is asked is long."""

Turn = dict[str, str]
"""{"role": system, user or assistant, "content": text}"""


@dataclass(frozen=True)
class Piece:
    """A piece of a conversation's text; `answer` tells what a model is to write from what it is given."""

    text: str
    answer: bool = False


@dataclass(frozen=True)
class Row:
    """A conversation as tokens: `labels` are the tokens of answers, IGNORED elsewhere.

    `asked` counts the tokens before the last answer, all of them where it ends with a question.
    """

    ids: list[int]
    labels: list[int]
    asked: int

    def fitted(self, max_length: int) -> Row:
        """Return the row in at most `max_length` tokens, a quarter of which are kept for the last answer.

        Of what is asked the middle is left out, for it begins with who speaks and ends with the question; of an answer
        the end is.
        """
        room = max_length - max(1, max_length // ANSWER_SHARE)
        if self.asked > room:
            head, tail = room // 2, self.asked - (room - room // 2)
            ids, labels = (side[:head] + side[tail:] for side in (self.ids, self.labels))
            return Row(ids[:max_length], labels[:max_length], room)
        return Row(self.ids[:max_length], self.labels[:max_length], self.asked)


def turns_of(value: Any, role: str) -> list[Turn]:
    """Return the turns that a column holds, {"role", "content"} or {"from", "value"} each; a text is a user's turn.

    Raise a RowProblem where it holds none, or one of somebody unknown or without text.
    """
    if isinstance(value, str):
        value = [{"role": "user", "content": value}]
    if not isinstance(value, list) or not value:
        raise RowProblem(
            "holds no list of turns" if not isinstance(value, list) else "is empty", role, code="broken-turns"
        )
    return [_turn(each, role) for each in value]


def _turn(value: Any, role: str) -> Turn:
    if not isinstance(value, dict):
        raise RowProblem(
            f"holds {type(value).__name__} for a turn",
            role,
            'A turn is {"role": ..., "content": ...}.',
            code="broken-turns",
        )
    speaker, text = (
        next((value[key] for key in keys if value.get(key) is not None), None)
        for keys in (("role", "from"), ("content", "value"))
    )
    if str(speaker).lower() not in SPEAKERS:
        raise RowProblem(f"has a turn of {speaker!r}", role, f"Known are: {', '.join(SPEAKERS)}.", code="broken-turns")
    if not isinstance(text, str):
        raise RowProblem(f"has a turn that holds {type(text).__name__}, not text", role, code="broken-turns")
    return {"role": SPEAKERS[str(speaker).lower()], "content": text}


def rows_of(tokenizer: PreTrainedTokenizerBase, conversations: Sequence[Sequence[Turn]], chat: bool) -> list[Row]:
    """Return each conversation as tokens, by the tokenizer's chat template with `chat`, else by the plain one.

    Each answer ends with the token that ends a turn, which is learned too. Every piece has its tokens by itself: what
    is asked has the same ones whether the answer is there or to be written.
    """
    lay_out: Callable[[Sequence[Turn]], list[Piece]] = (lambda turns: chat_pieces(tokenizer, turns)) if chat else plain
    start = [] if chat else start_of(tokenizer)
    end = ends_of(tokenizer, chat)[0]
    pieces = [lay_out(turns) for turns in conversations]
    tokens = iter(tokens_of(tokenizer, [piece.text for each in pieces for piece in each]))
    return [_row(start, [(next(tokens), piece.answer) for piece in each], end) for each in pieces]


def _row(start: list[int], pieces: Sequence[tuple[list[int], bool]], end: int) -> Row:
    ids, labels, asked = list(start), [IGNORED] * len(start), len(start)
    for tokens, answer in pieces:
        if answer and tokens[-1:] != [end]:
            tokens = [*tokens, end]
        asked = len(ids) if answer else len(ids) + len(tokens)
        ids += tokens
        labels += tokens if answer else [IGNORED] * len(tokens)
    return Row(ids, labels, asked)


def ends_of(tokenizer: PreTrainedTokenizerBase, chat: bool) -> list[int]:
    """Return the tokens that end an answer: the one that the template puts there, and the tokenizer's end token."""
    end = end_of(tokenizer)
    if not chat:
        return [end]
    (piece,) = (piece for piece in chat_pieces(tokenizer, [_said("user", "?"), _said(ASSISTANT, "!")]) if piece.answer)
    (after,) = tokens_of(tokenizer, [piece.text.rpartition("!")[2]])
    added = {*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder}
    return list(dict.fromkeys([*[token for token in after if token in added][:1], end]))


def plain(turns: Sequence[Turn]) -> list[Piece]:
    """Return the pieces of a conversation under plain headings; after a question the answer's heading follows."""
    pieces: list[Piece] = []
    asked = ""
    for turn in turns:
        asked += HEADS[turn["role"]]
        if turn["role"] == ASSISTANT:
            pieces += [Piece(asked), Piece(turn["content"], answer=True)]
            asked = "\n\n"
        else:
            asked += f"{turn['content']}\n\n"
    return pieces if turns[-1]["role"] == ASSISTANT else [*pieces, Piece(asked + HEADS[ASSISTANT])]


def chat_pieces(tokenizer: PreTrainedTokenizerBase, turns: Sequence[Turn]) -> list[Piece]:
    """Return the pieces of a conversation as the tokenizer's chat template writes them.

    Some templates write an earlier turn otherwise once another follows: what was written before then is no answer
    any more, but part of what is asked.
    """
    pieces: list[Piece] = []
    told = ""
    for number, turn in enumerate(turns):
        if turn["role"] != ASSISTANT:
            continue
        asked = _written(tokenizer, turns[:number]) if number else ""
        whole = _written(tokenizer, turns[: number + 1])
        answer = whole.removeprefix(asked) if whole.startswith(asked) else _from(turn["content"].strip(), whole)
        pieces, told = _asked(pieces, told, asked)
        pieces.append(Piece(answer.rstrip(), answer=True))
        told += answer.rstrip()
    return pieces if turns[-1]["role"] == ASSISTANT else _asked(pieces, told, _written(tokenizer, turns))[0]


DAY = "{%- macro strftime_now(format) -%}26 Jul 2024{%- endmacro -%}"
"""What goes before a template that writes the date: the same day, and so the same tokens, whenever it is asked."""


def _from(content: str, whole: str) -> str:
    """Return the last of the turns in a text, and what follows it."""
    place = whole.rfind(content)
    return whole[place:] if content and place >= 0 else content


def _asked(pieces: list[Piece], told: str, asked: str) -> tuple[list[Piece], str]:
    """Return the pieces with what is asked after them, or that alone where it does not begin with them."""
    return ([*pieces, Piece(asked.removeprefix(told))] if asked.startswith(told) else [Piece(asked)]), asked


def _written(tokenizer: PreTrainedTokenizerBase, turns: Sequence[Turn]) -> str:
    """Return turns as the template writes them; after a question it opens the answer."""
    try:
        opens = turns[-1]["role"] != ASSISTANT
        template = tokenizer.get_chat_template()
        if "strftime_now" in template:
            template = DAY + template
        text: Any = tokenizer.apply_chat_template(
            list(turns), chat_template=template, tokenize=False, add_generation_prompt=opens
        )
    except Exception as error:  # a template computes what it likes, in the sandbox of transformers
        raise WorkbenchError(
            f"the tokenizer's chat template cannot write a conversation: {error}",
            where="task.template",
            hint='Set it to "plain".',
            code="broken-turns",
        ) from error
    return str(text)


def _said(role: str, text: str) -> Turn:
    return {"role": role, "content": text}
