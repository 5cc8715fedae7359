"""Questions and answers of every task in words: light, for commands and screens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workbench.text import number, plain


def asked(fields: Mapping[str, Any]) -> str:
    """Return what a model is asked as one text, the fields of several divided by a bar."""
    return " | ".join(value if isinstance(value, str) else str(value) for value in fields.values())


def line_of(pred: str, score: float | None) -> str:
    """Return an answer in its short form, with its score where it has one."""
    return plain(pred) if score is None else f"{plain(pred)}  {number(score, 4)}"
