"""Rows as a source has them, in columns: no value is guessed, changed or dropped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from workbench.data.types import words_of
from workbench.errors import WorkbenchError

BINARY = "—"
"""The encoding of what is no text file."""

WHOLE = ("answers",)
"""Structs that a task reads as they are."""

MOST_FIELDS = 100
"""More fields than this make a struct a dictionary, whose keys are values and no columns."""


@dataclass(frozen=True)
class Content:
    """What a reader found: column → values, a list or an Arrow array; `names` are those of a column's numbers 0, 1, …

    `notes` says what the reader understood.
    """

    data: Mapping[str, Any]
    encoding: str = BINARY
    notes: list[str] = field(default_factory=list)
    names: Mapping[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """The rows of a source; `where` is what to call it, `types` says what a column holds, in words."""

    where: str
    rows: int
    types: dict[str, str]
    encoding: str
    notes: list[str]
    names: Mapping[str, list[str]]
    data: Mapping[str, Any]

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return list(self.data)

    def values(self, column: str) -> list[Any]:
        """Return a column; raise a WorkbenchError where it is not UTF-8 text."""
        held = self.data[column]
        if isinstance(held, list):
            return held
        try:
            values: list[Any] = held.to_pylist()
        except UnicodeDecodeError as error:
            raise WorkbenchError(f"column {column!r} is not UTF-8 text", where=self.where, code="encoding") from error
        return values


def table_of(content: Content, where: str) -> Table:
    """Return the table of a content, its structs flattened; raise a WorkbenchError where it has no rows."""
    data = flatten(content.data, where)
    rows = len(next(iter(data.values()), ()))
    if not rows:
        raise WorkbenchError("there are no rows", where=where, code="no-rows")
    types = {column: words_of(column, values) for column, values in data.items()}
    mixed = [f"column {column!r} holds {types[column]}, as it stands" for column in types if " or " in types[column]]
    return Table(where, rows, types, content.encoding, [*content.notes, *mixed], content.names, data)


def flatten(data: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the columns with each struct made one column a field, called `struct.field`."""
    flat: dict[str, Any] = {}
    for column, values in data.items():
        parts = None if column.rpartition(".")[2] in WHOLE else _fields(values)
        found = flatten({f"{column}.{key}": part for key, part in parts.items()}, where) if parts else {column: values}
        twice = next((key for key in found if key in flat), None)
        if twice is not None:
            raise WorkbenchError(
                f"two columns are called {twice!r}", where=where, hint="Rename one of them.", code="column-twice"
            )
        flat |= found
    return flat


def _fields(values: Any) -> dict[str, Any]:
    """Return field → values of a column of structs; nothing where it is none."""
    if not isinstance(values, list):
        return _arrow_fields(values)
    if not all(value is None or isinstance(value, dict) for value in values):
        return {}
    keys: dict[str, None] = {}
    for value in values:
        keys.update(dict.fromkeys(value or ()))
        if len(keys) > MOST_FIELDS:
            return {}
    return {key: [None if value is None else value.get(key) for value in values] for key in keys}


def _arrow_fields(values: Any) -> dict[str, Any]:
    import pyarrow

    if not pyarrow.types.is_struct(values.type) or values.type.num_fields > MOST_FIELDS:
        return {}
    chunked = values if isinstance(values, pyarrow.ChunkedArray) else pyarrow.chunked_array([values])
    parts = [chunk.flatten() for chunk in chunked.chunks]
    fields = [values.type.field(number) for number in range(values.type.num_fields)]
    return {
        each.name: pyarrow.chunked_array([part[number] for part in parts], type=each.type)
        for number, each in enumerate(fields)
    }
