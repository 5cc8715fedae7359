"""Sentences in columns, one token a line (CoNLL, CoNLL-U): each column becomes a list a sentence."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from workbench.data.decoding import Text
from workbench.data.table import Content
from workbench.errors import WorkbenchError
from workbench.text import count, plural

NAMED = 5
DOCUMENT = "-DOCSTART-"
_BETWEEN = re.compile("[1-9][0-9]*-[0-9]+|[0-9]+[.][0-9]+")
"""Numbers of CoNLL-U lines that are no words: a written form of several words, a word that is left out."""


def read_conll(text: Text, path: Path) -> Content:
    """Return `tokens`, the first column, `ner_tags`, the last, and those between as `column2`, … .

    Lines of documents and comments are no tokens: a comment begins with # and has one field.
    """
    tabs = "\t" in text.text
    return _content(_sentences(text, path, lambda line: "\t" not in line if tabs else " " not in line), text, 0, [])


def read_conllu(text: Text, path: Path) -> Content:
    """Return `tokens`, the second column, `ner_tags`, the last, and the others as `column1`, `column3`, … ."""
    sentences = _sentences(text, path, lambda line: True)
    words = [[fields for fields in sentence if not _BETWEEN.fullmatch(fields[0])] for sentence in sentences]
    left_out = sum(map(len, sentences)) - sum(map(len, words))
    notes = [f"{plural(left_out, 'line')} of several words or of none left out"] if left_out else []
    return _content([sentence for sentence in words if sentence], text, 1, notes)


def _sentences(text: Text, path: Path, is_comment: Callable[[str], bool]) -> list[list[list[str]]]:
    """Return the fields of each token of each sentence; raise a WorkbenchError that names uneven lines."""
    sentences: list[list[list[str]]] = [[]]
    lines: list[int] = []
    for number, line in text.lines():
        if not line.strip(" \t"):
            sentences.append([])
        elif not line.startswith(DOCUMENT) and not (line.startswith("#") and is_comment(line)):
            sentences[-1].append(_fields(line))
            lines.append(number)
    widths = [len(fields) for sentence in sentences for fields in sentence]
    odd = [(line, width) for line, width in zip(lines, widths, strict=True) if width != widths[0]]
    if odd:
        named = [f"line {line}: {plural(width, 'column')}, not {count(widths[0])}" for line, width in odd[:NAMED]]
        more = [f"and {count(len(odd) - NAMED)} more lines"] if len(odd) > NAMED else []
        hint = f"Line {lines[0]} has {count(widths[0])}; tabs part the columns, in a line without tabs blanks."
        raise WorkbenchError("\n".join([*named, *more]), where=str(path), hint=hint, code="ragged-rows")
    return [sentence for sentence in sentences if sentence]


def _content(sentences: list[list[list[str]]], text: Text, token: int, notes: list[str]) -> Content:
    width = len(sentences[0][0]) if sentences else 0
    names = [f"column{number}" for number in range(1, width + 1)]
    if width > token:
        names[token] = "tokens"
    if width > token + 1:
        names[-1] = "ner_tags"
    columns = {name: [[fields[at] for fields in each] for each in sentences] for at, name in enumerate(names)}
    ordered = {"tokens": columns.pop("tokens"), **columns} if "tokens" in columns else columns
    return Content(ordered, text.encoding, [*text.notes, *notes])


def _fields(line: str) -> list[str]:
    # Other blanks, such as the one that does not break, are part of a token.
    return line.split("\t") if "\t" in line else [part for part in line.split(" ") if part]
