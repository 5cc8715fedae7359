"""What is wrong with a store, in words with the next step."""

from __future__ import annotations

import sqlite3


class StoreError(Exception):
    """The file cannot serve as the store; the text says why and what to do."""


REBUILD = "Nothing was changed. See what is wrong: workbench store check. Make it anew: workbench store rebuild"

_NEXT = (
    (("malformed", "not a database", "no such table", "no such column"), REBUILD),
    (("locked", "busy"), "Another process is writing; try again, or end it."),
    (
        ("readonly", "read-only", "unable to open"),
        "The file or its folder cannot be written: check its owner and mode.",
    ),
    (("full", "disk i/o"), "Free disk space: delete runs, and empty the trash. See how much: workbench doctor"),
)


def explained(error: Exception) -> str:
    """Return an error of SQLite, or of the store, with the next step on a line of its own."""
    text = str(error)
    if isinstance(error, StoreError) or not isinstance(error, sqlite3.Error):
        return text
    hint = next((hint for words, hint in _NEXT if any(word in text.lower() for word in words)), "")
    return f"the store cannot be used: {text}\n{hint or 'See what is wrong: workbench doctor'}"
