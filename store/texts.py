"""Texts as SQLite can hold them: half a surrogate pair, which JSON files may have, has no UTF-8."""

from __future__ import annotations

import re
from typing import TypeVar

Value = TypeVar("Value")

HALF_A_PAIR = re.compile("[\ud800-\udfff]")
"""What no UTF-8 text has, but an argument of a command or an escape in JSON may."""


def storable(value: Value) -> Value:
    """Return a value of a column; in a text, half a surrogate pair is U+FFFD."""
    return HALF_A_PAIR.sub("\ufffd", value) if isinstance(value, str) else value  # type: ignore[return-value]


def storable_json(written: str) -> str:
    """Return JSON that says the same: half a surrogate pair is its escape, and comes back as it was."""
    return HALF_A_PAIR.sub(lambda half: f"\\u{ord(half[0]):04x}", written)
