"""Files of every format that sources are read from."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def write(path: Path, content: bytes | str) -> Path:
    """Write a file, packed where its name ends in .gz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = content.encode("utf-8") if isinstance(content, str) else content
    path.write_bytes(gzip.compress(raw) if path.suffix.lower() == ".gz" else raw)
    return path


def delimited(rows: Sequence[Row], separator: str, quoting: Any = csv.QUOTE_MINIMAL) -> bytes:
    """Return rows as Python's own csv module writes them, under a header."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, delimiter=separator, lineterminator="\n", quoting=quoting)
    writer.writerows([list(rows[0]), *[[row[column] for column in rows[0]] for row in rows]])
    return stream.getvalue().encode("utf-8")


def json_lines(rows: Sequence[Row]) -> bytes:
    """Return rows as one JSON object a line, letters beyond ASCII as they are."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode("utf-8")


def parquet(rows: Sequence[Row]) -> bytes:
    """Return rows as a parquet file."""
    import pyarrow
    from pyarrow import parquet as format

    sink = pyarrow.BufferOutputStream()
    format.write_table(pyarrow.Table.from_pylist(list(rows)), sink)
    return sink.getvalue().to_pybytes()


def arrow(rows: Sequence[Row], stream: bool = False) -> bytes:
    """Return rows as an Arrow file or stream."""
    import pyarrow

    table = pyarrow.Table.from_pylist(list(rows))
    sink = pyarrow.BufferOutputStream()
    with (pyarrow.ipc.new_stream if stream else pyarrow.ipc.new_file)(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


WRITERS: dict[str, Callable[[Sequence[Row]], bytes]] = {
    "csv": lambda rows: delimited(rows, ","),
    "tsv": lambda rows: delimited(rows, "\t"),
    "jsonl": json_lines,
    "ndjson": json_lines,
    "json": lambda rows: json.dumps(list(rows)).encode(),
    "parquet": parquet,
    "arrow": arrow,
}
"""The ending of a file → what writes rows of texts so."""
