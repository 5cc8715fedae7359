"""Rows as JSON objects: one a line (jsonl), or all in one list (json)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from workbench.data.decoding import Text
from workbench.data.readers import squad
from workbench.data.table import Content
from workbench.errors import WorkbenchError
from workbench.text import count, plural

ROWS_HINT = 'Rows are written [{"text": "…"}, …], or one object a line in a .jsonl file.'
KINDS = {dict: "an object", list: "a list", str: "a text", int: "a number", float: "a number", bool: "true or false"}


class Twice(ValueError):
    """A key that stands twice in one object."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        raise Twice(next(key for key in keys if keys.count(key) > 1))
    return found


DECODER = json.JSONDecoder(object_pairs_hook=_once)


def read_jsonl(text: Text, path: Path) -> Content:
    """Return the columns of objects, one a line; raise a WorkbenchError that names a line that holds none."""
    rows: list[dict[str, Any]] = []
    lines: list[int] = []
    blank = 0
    for line, content in text.lines():
        if not content.strip():
            blank += 1
            continue
        rows.append(_object(content, line, path))
        lines.append(line)
    notes = [f"{plural(blank, 'blank line')} left out"] if blank else []
    return columns_of(rows, [f"line {line}" for line in lines], text, notes)


def read_json(text: Text, path: Path) -> Content:
    """Return the columns of a list of objects: the file's, the one in its object, SQuAD's, or one object a line."""
    try:
        found = parse(text.text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and _is_object(text.text[: error.pos]):
            content = read_jsonl(text, path)
            return Content(content.data, content.encoding, [*content.notes, "the file has one object a line"])
        raise WorkbenchError(
            f"line {error.lineno}: not valid JSON ({error.msg})", where=str(path), code="broken-json"
        ) from error
    except (ValueError, RecursionError) as error:
        raise WorkbenchError(f"not valid JSON ({_reason(error)})", where=str(path), code="broken-json") from error
    if squad.is_squad(found):
        return squad.read_squad(found, text, path)
    rows = _rows(found, path)
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise WorkbenchError(
                f"row {number} is {_kind(row)}, not an object", where=str(path), hint=ROWS_HINT, code="not-rows"
            )
    return columns_of(rows, [f"row {number}" for number in range(1, len(rows) + 1)], text, [])


def parse(text: str) -> Any:
    """Return what JSON text holds; raise a ValueError where a key stands twice in an object."""
    return DECODER.decode(text)


def columns_of(rows: list[dict[str, Any]], places: list[str], text: Text, notes: list[str]) -> Content:
    """Return the columns of objects, in the order in which their keys first appear; what a row lacks is None."""
    keys: dict[str, int] = {}
    for row in rows:
        for key in row:
            keys[key] = keys.get(key, 0) + 1
    lacking = []
    for key, having in keys.items():
        if having < len(rows):
            first = next(place for row, place in zip(rows, places, strict=True) if key not in row)
            lacking.append(f"{key!r} is not in {count(len(rows) - having)} rows, first in {first}: empty there")
    data = {key: [row.get(key) for row in rows] for key in keys}
    return Content(data, text.encoding, [*text.notes, *notes, *lacking])


def _object(content: str, line: int, path: Path) -> dict[str, Any]:
    try:
        row = parse(content)
    except json.JSONDecodeError as error:
        words = f"line {line}: not valid JSON ({error.msg} at character {error.pos + 1})"
        raise WorkbenchError(
            words, where=str(path), hint="Each line must be one whole object.", code="broken-json"
        ) from error
    except (ValueError, RecursionError) as error:
        raise WorkbenchError(
            f"line {line}: not valid JSON ({_reason(error)})", where=str(path), code="broken-json"
        ) from error
    if not isinstance(row, dict):
        raise WorkbenchError(
            f"line {line} is {_kind(row)}, not an object", where=str(path), hint=ROWS_HINT, code="not-rows"
        )
    return row


def _rows(found: Any, path: Path) -> list[Any]:
    if isinstance(found, list):
        return found
    if not isinstance(found, dict):
        raise WorkbenchError(
            f"the file holds {_kind(found)}, not rows", where=str(path), hint=ROWS_HINT, code="not-rows"
        )
    lists = {key: value for key, value in found.items() if value and _holds_objects(value)}
    if len(lists) == 1:
        return next(iter(lists.values()))
    what = f"several lists of rows: {', '.join(lists)}" if lists else "an object without a list of rows"
    raise WorkbenchError(f"the file holds {what}", where=str(path), hint=ROWS_HINT, code="not-rows")


def _holds_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)


def _is_object(text: str) -> bool:
    return text.lstrip().startswith("{")


def _reason(error: Exception) -> str:
    if isinstance(error, Twice):
        return f"the key {str(error)!r} stands twice in one object"
    return "lists in lists without end" if isinstance(error, RecursionError) else str(error)


def _kind(value: Any) -> str:
    return KINDS.get(type(value), "null")
