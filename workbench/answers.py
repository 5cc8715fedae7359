"""Questions and answers of every task in words: light, for commands and screens."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from workbench.text import number, plain


def asked(fields: Mapping[str, Any]) -> str:
    """Return what a model is asked as one text, the fields of several divided by a bar."""
    return " | ".join(words_of(role, value) for role, value in fields.items())


def words_of(role: str, value: Any) -> str:
    """Return the value of a field as a person would type it: tokens with spaces between, several texts with bars."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return (" " if role == "tokens" else " | ").join(value)
    return json.dumps(value, ensure_ascii=False)


def line_of(pred: str, score: float | None) -> str:
    """Return an answer in its short form, with its score where it has one."""
    return plain(pred) if score is None else f"{plain(pred)}  {number(score, 4)}"
