"""Rows of fields parted by commas or tabs (csv, tsv): every value is the text that stands in the file."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field
from pathlib import Path

from workbench.data.decoding import Text
from workbench.data.readers.header import name_columns
from workbench.data.table import Content
from workbench.errors import WorkbenchError
from workbench.text import count, plural

NAMED = 5
"""How many ragged lines are named."""

_ENCLOSED = re.compile(r'(?:^|(?<=\t))"[^"]*+(?:""[^"]*+)*+"(?=\t|\r?$)', re.MULTILINE)
_REASONS = {
    "unexpected end of data": "opens a quote that is never closed",
    "expected after": "has text behind a closing quote: a quote inside a quoted field must be doubled",
    "new-line character": "has a carriage return outside quotes",
}
"""What the csv module says of broken quotes, in words."""


@dataclass
class Rows:
    """The fields of each row, and the line on which it begins."""

    fields: list[list[str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    blank: int = 0

    def add(self, row: list[str], line: int) -> None:
        """Take a row, or count it where its line is blank."""
        if row:
            self.fields.append(row)
            self.lines.append(line)
        else:
            self.blank += 1

    def is_even(self) -> bool:
        """Return whether all rows have as many fields as the first."""
        return len(set(map(len, self.fields))) <= 1


def read_csv(text: Text, path: Path) -> Content:
    """Return the columns of comma-separated values, quoted as RFC 4180 says."""
    rows = _quoted(text.text, ",", path)
    notes = []
    if rows.fields and len(rows.fields[0]) == 1:
        other = next((mark for mark in (";", "\t", "|") if mark in rows.fields[0][0]), "")
        if other:
            notes.append(f"there is one column; if {other!r} parts the fields, save the file with commas")
    return _content(rows, text, [*text.notes, *notes], path)


def read_tsv(text: Text, path: Path) -> Content:
    """Return the columns of tab-separated values; quotes enclose fields only where the whole file says so."""
    literal = Rows()
    for line, content in text.lines():
        literal.add(content.split("\t") if content else [], line)
    if '"' not in text.text:
        return _content(literal, text, text.notes, path)
    if quotes_enclose(text.text, literal):
        note = "quotes enclose fields here: they are taken off"
        return _content(_quoted(text.text, "\t", path), text, [*text.notes, note], path)
    opened = sum(value.startswith('"') for row in literal.fields for value in row)
    note = f"{plural(opened, 'field')} with a quote at the beginning: quotes are taken as they stand"
    return _content(literal, text, [*text.notes, *([note] if opened else [])], path)


def quotes_enclose(text: str, literal: Rows) -> bool:
    """Return whether the quotes of tab-separated text enclose fields, as spreadsheets write them.

    A file is taken to be written so where no quote stands outside enclosed fields, and enclosing shows: all fields or
    those of the first line are enclosed, a quote is doubled, or only so all rows have as many fields.
    """
    enclosed = _ENCLOSED.findall(text)
    outside = _ENCLOSED.sub("", text)
    if not enclosed or '"' in outside:
        return False
    if not outside.strip("\t\r\n"):
        return True
    if any("\t" in each or "\n" in each for each in enclosed):
        try:
            return not literal.is_even() and _quoted(text, "\t", Path()).is_even()
        except WorkbenchError:
            return False
    first = literal.fields[0]
    return any('""' in each for each in enclosed) or all(_ENCLOSED.fullmatch(value) for value in first)


def _quoted(text: str, separator: str, path: Path) -> Rows:
    csv.field_size_limit(2**31 - 1)
    # A line feed alone ends a line: a carriage return inside a field is part of its value.
    reader = csv.reader(io.StringIO(text, newline="\n"), delimiter=separator, strict=True)
    rows, line = Rows(), 1
    try:
        for row in reader:
            rows.add(row, line)
            line = reader.line_num + 1
    except csv.Error as error:
        words = next((words for start, words in _REASONS.items() if start in str(error)), f"cannot be read: {error}")
        raise WorkbenchError(f"line {line} {words}", where=str(path), code="broken-row") from error
    return rows


def _content(rows: Rows, text: Text, notes: list[str], path: Path) -> Content:
    if not rows.is_even():
        raise _ragged(rows, path)
    columns, values, more = name_columns(rows.fields, rows.lines, path)
    blank = [f"{plural(rows.blank, 'blank line')} left out"] if rows.blank else []
    data = {column: [row[number] for row in values] for number, column in enumerate(columns)}
    return Content(data, text.encoding, [*notes, *more, *blank])


def _ragged(rows: Rows, path: Path) -> WorkbenchError:
    expected = len(rows.fields[0])
    odd = [(line, len(row)) for line, row in zip(rows.lines, rows.fields, strict=True) if len(row) != expected]
    named = [f"line {line}: {plural(found, 'field')}, not {count(expected)}" for line, found in odd[:NAMED]]
    more = [f"and {count(len(odd) - NAMED)} more lines"] if len(odd) > NAMED else []
    hint = f"Line {rows.lines[0]} has {count(expected)}. A field that holds a separator must be quoted."
    return WorkbenchError("\n".join([*named, *more]), where=str(path), hint=hint, code="ragged-rows")
