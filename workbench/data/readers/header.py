"""Whether the first line of a table names its columns."""

from __future__ import annotations

from pathlib import Path

from workbench.catalog import TASKS
from workbench.data.types import is_number
from workbench.errors import WorkbenchError

LONGEST_NAME = 60
USUAL = frozenset(name for card in TASKS.values() for role in card.roles.values() for name in role.names)
"""What columns usually go by, in small letters."""


def name_columns(rows: list[list[str]], lines: list[int], path: Path) -> tuple[list[str], list[list[str]], list[str]]:
    """Return the names of the columns, the rows below them, and notes.

    Without a line of names the columns are column1, column2, …; raise a WorkbenchError where two have one name.
    """
    if not rows:
        return [], [], []
    first, below = rows[0], rows[1:]
    reason = why_no_header(first, below)
    if reason:
        columns = [f"column{number}" for number in range(1, len(first) + 1)]
        named = ", ".join(columns[:3]) + (", …" if len(columns) > 3 else "")
        return columns, rows, [f"line {lines[0]} {reason}: the file has no header; its columns are called {named}"]
    # An index that was saved with the table has no name.
    columns = [first[0] or "column1", *first[1:]]
    twice = next((name for number, name in enumerate(columns) if name in columns[:number]), None)
    if twice is not None:
        raise WorkbenchError(
            f"line {lines[0]} names two columns {twice!r}",
            where=str(path),
            hint="Rename one, or add a first line with names where the file has none.",
            code="column-twice",
        )
    again = next((line for line, row in zip(lines[1:], below, strict=True) if row == first), None)
    if again is not None:
        raise WorkbenchError(
            f"line {again} repeats the header",
            where=str(path),
            hint="Remove it, or add a first line with names where the file has none.",
            code="header-again",
        )
    return columns, below, []


def why_no_header(first: list[str], below: list[list[str]]) -> str:
    """Return what about a first line shows that it holds values and no names, or nothing."""
    repeated = [any(row[number] == value for row in below) for number, value in enumerate(first)]
    for number, value in enumerate(first):
        if value.lower() in USUAL and (not repeated[number] or below.count(first)):
            return ""
    for number, value in enumerate(first):
        if not value.strip() and not (number == 0 and len(first) > 1 and _is_index(below)):
            return "has an empty field"
        if is_number(value):
            return f"holds a number, {value}"
        if len(value) > LONGEST_NAME:
            return f"holds {len(value)} characters in one field"
        if value and repeated[number]:
            return f"holds {value!r}, as lines below do"
    return ""


def _is_index(below: list[list[str]]) -> bool:
    return all(row[0].isdecimal() for row in below)
