"""What a column holds, in words for people and in kinds for tasks."""

from __future__ import annotations

import re
from typing import Any

_WHOLE = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_PLURALS = {"whole number": "whole numbers", "number": "numbers", "object": "objects"}
_PYTHON = {str: "text", bool: "yes/no", int: "whole number", float: "number", list: "list", dict: "object"}
AS_TEXT = ", as text"


def words_of(column: str, values: Any) -> str:
    """Return what a column of values, a list or an Arrow array, holds: "text", "whole number", "list of text", …

    Texts that are all numbers are told apart as "whole number, as text" or "number, as text"; several kinds in one
    column are joined by "or".
    """
    words = _listed(values) if isinstance(values, list) else _arrow(values.type)
    if words == "object" and column.rpartition(".")[2] == "answers":
        return "answers"
    if words == "text" and isinstance(values, list):
        return _written(values)
    return words


def kind_of_words(words: str) -> str:
    """Return the kind of a `Role` that a column with these words could have: text, list, number, answers or nothing."""
    if " or " in words:
        return ""
    plain = words.removesuffix(AS_TEXT)
    if plain in ("whole number", "number"):
        return "number"
    return "list" if plain.startswith("list") else plain if plain in ("text", "answers") else ""


def is_number(text: str) -> bool:
    """Return whether a text is a decimal number, as programs write them."""
    return _NUMBER.fullmatch(text) is not None


def _listed(values: list[Any]) -> str:
    kinds = set(map(type, values)) - {type(None)}
    words = sorted({_PYTHON.get(kind, kind.__name__) for kind in kinds})
    if words == ["list"]:
        return _list_of(_listed([item for value in values if value is not None for item in value]))
    return _joined(words)


def _joined(words: list[str]) -> str:
    if words == ["number", "whole number"]:
        return "number"
    return " or ".join(words) or "nothing"


def _list_of(words: str) -> str:
    return "list" if words == "nothing" else f"list of {_PLURALS.get(words, words)}"


def _written(values: list[str | None]) -> str:
    texts = [value for value in values if value is not None]
    for pattern, words in ((_WHOLE, "whole number"), (_NUMBER, "number")):
        if all(pattern.fullmatch(text) for text in texts):
            return words + AS_TEXT
    return "text"


def _arrow(kind: Any) -> str:
    from pyarrow import types

    tests = (
        (types.is_string, "text"), (types.is_large_string, "text"), (types.is_string_view, "text"),
        (types.is_integer, "whole number"), (types.is_floating, "number"), (types.is_decimal, "number"),
        (types.is_boolean, "yes/no"), (types.is_struct, "object"), (types.is_null, "nothing"),
        (types.is_temporal, "time"), (types.is_binary, "bytes"), (types.is_large_binary, "bytes"),
    )  # fmt: skip
    if types.is_dictionary(kind):
        return _arrow(kind.value_type)
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return _list_of(_arrow(kind.value_type))
    return next((words for test, words in tests if test(kind)), str(kind))
