"""The right answers to a question as a row has them: texts, and the characters of the context at which they begin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workbench.data.features import RowProblem
from workbench.text import count

SHOWN = 60
"""Characters of an answer that a message repeats."""


def answers_of(row: dict[str, Any]) -> dict[str, list[Any]] | None:
    """Return {"text": [...], "answer_start": [...]} of a row, empty where the context has no answer.

    None where the row does not say. `answers` is such a dict, a list of {"text", "answer_start"} or of texts, or one
    text; where no place is given the text must stand once in the context. Raise a RowProblem where an answer is not
    what stands in its place.
    """
    named = named_answers(row)
    if named is None:
        return None
    starts = [_place(row["context"], text, start) for text, start in named]
    return {"text": [text for text, _ in named], "answer_start": starts}


def named_answers(row: dict[str, Any]) -> list[tuple[str, int | None]] | None:
    """Return each right answer of a row with the place that is given for it, not yet held against the context."""
    value = row.get("answers")
    if value is None or value == "":
        return None
    if isinstance(value, str):
        pairs: list[tuple[Any, Any]] = [(value, row.get("answer_start"))]
    elif isinstance(value, Mapping):
        pairs = _columns(value)
    elif isinstance(value, Sequence):
        dicts = [each if isinstance(each, Mapping) else {"text": each} for each in value]
        pairs = [(each.get("text"), each.get("answer_start")) for each in dicts]
    else:
        raise RowProblem(f"holds {type(value).__name__}, not answers", "answers", code="broken-answers")
    return [(_text(text), _number(start)) for text, start in pairs]


def _columns(value: Mapping[str, Any]) -> list[tuple[Any, Any]]:
    """Return the pairs of a dict of two lists, or of one text and one place."""
    texts, starts = value.get("text"), value.get("answer_start")
    if isinstance(texts, str):
        return [(texts, starts)]
    if not isinstance(texts, Sequence):
        raise RowProblem('holds a table without "text"', "answers", code="broken-answers")
    if starts is None:
        return [(text, None) for text in texts]
    if not isinstance(starts, Sequence) or len(starts) != len(texts):
        raise RowProblem('holds "text" and "answer_start" of different lengths', "answers", code="broken-answers")
    return list(zip(texts, starts, strict=True))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise RowProblem(f"holds an answer that is {type(value).__name__}, not text", "answers", code="broken-answers")
    if not value.strip():
        raise RowProblem(
            "holds an answer without text",
            "answers",
            "A question without an answer has an empty list.",
            code="broken-answers",
        )
    return value


def _number(value: Any) -> int | None:
    """Return a place as a number; files of texts have it as digits."""
    if value is None or value == "":
        return None
    try:
        place = int(value)
    except (TypeError, ValueError, OverflowError):
        place = -1
    if place < 0 or (isinstance(value, float) and place != value):
        raise RowProblem(
            f"holds {str(value)[:SHOWN]!r} as a place in the context",
            "answers",
            "Places count from 0.",
            code="wrong-position",
        )
    return place


def _place(context: str, text: str, start: int | None) -> int:
    """Return where an answer begins, after a look whether it stands there."""
    if start is not None and context.startswith(text, start):
        return start
    places = _places(context, text)
    if start is None and len(places) == 1:
        return places[0]
    hint = "Give the place of each answer in answer_start, and contexts as they are."
    if start is None:
        often = f"stands {count(len(places))} times in the context" if places else "does not stand in the context"
        raise RowProblem(f"holds {_shown(text)}, which {often}", "answers", hint, code="wrong-position")
    if len(places) == 1:
        hint = f"{_shown(text)} stands at character {places[0]}."
    there = _shown(context[start : start + len(text)]) if start < len(context) else "no more text"
    raise RowProblem(
        f"holds {_shown(text)} at character {start}, where the context has {there}",
        "answers",
        hint,
        code="wrong-position",
    )


def _places(context: str, text: str) -> list[int]:
    places, at = [], context.find(text)
    while at >= 0:
        places.append(at)
        at = context.find(text, at + 1)
    return places


def _shown(text: str) -> str:
    return repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}…")
