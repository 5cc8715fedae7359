"""Read the rows of a source, whatever it is: the one entrance to files, folders, queries and the Hub."""

from __future__ import annotations

from pathlib import Path

from workbench.data.decoding import load_text
from workbench.data.locating import (
    existing,
    has_split,
    kind_of,
    locate,
    parallel_files,
    scheme_of,
    sqlite_parts,
)
from workbench.data.readers import arrow, conll, delimited, hub, json_rows, lines, sqlite
from workbench.data.table import Content, Table, table_of

__all__ = ["Table", "read", "read_file", "validation_of"]

TEXTS = {
    "csv": delimited.read_csv,
    "tsv": delimited.read_tsv,
    "json": json_rows.read_json,
    "jsonl": json_rows.read_jsonl,
    "text": lines.read_lines,
    "conll": conll.read_conll,
    "conllu": conll.read_conllu,
}
BINARIES = {"parquet": arrow.read_parquet, "arrow": arrow.read_arrow}


def read(source: str, cache: Path, split: str = "train") -> Table:
    """Return the rows of a source's split: every value as the source has it.

    `cache` is where rows of the Hub are kept. Raise a WorkbenchError that names the file and the line.
    """
    scheme, rest = scheme_of(source)
    if scheme == "hub":
        return table_of(hub.read_hub(rest, cache, split), source)
    if scheme == "sqlite":
        file, query = sqlite_parts(rest)
        return table_of(sqlite.read_query(existing(file), query), f"sqlite:{file}")
    if scheme == "parallel":
        first, second = parallel_files(rest)
        return table_of(lines.read_parallel(existing(first), existing(second)), f"{first},{second}")
    path = locate(source, split)
    return table_of(_content_of(path), str(path))


def read_file(path: Path) -> Table:
    """Return the rows of a file."""
    return table_of(_content_of(existing(path)), str(path))


def validation_of(source: str, cache: Path) -> str | None:
    """Return the source of the evaluation rows that belong to a training source, where it has them itself."""
    scheme, rest = scheme_of(source)
    if scheme == "hub":
        return source if hub.has_split(rest, cache, "validation") else None
    return source if scheme in ("", "starter") and has_split(source, "validation") else None


def _content_of(path: Path) -> Content:
    if path.is_dir():
        return arrow.read_saved(path)
    kind = kind_of(path)
    return BINARIES[kind](path) if kind in BINARIES else TEXTS[kind](load_text(path), path)
