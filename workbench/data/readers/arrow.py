"""Columns in Arrow's memory: parquet, Arrow's files and streams, and what the datasets library saved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.data.decoding import load
from workbench.data.table import Content
from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    import pyarrow
    from datasets import Dataset

FILE_MARK = b"ARROW1"


def read_parquet(path: Path) -> Content:
    """Return the columns of a parquet file."""
    import pyarrow
    from pyarrow import parquet

    content = load(path)
    try:
        return content_of(parquet.ParquetFile(pyarrow.BufferReader(content)).read())
    except (pyarrow.ArrowException, OSError) as error:
        raise _unreadable(path, "parquet", error) from error


def read_arrow(path: Path) -> Content:
    """Return the columns of an Arrow file or stream."""
    import pyarrow

    content = load(path)
    try:
        opened = pyarrow.ipc.open_file if content.startswith(FILE_MARK) else pyarrow.ipc.open_stream
        table = opened(pyarrow.BufferReader(content)).read_all()
        table.validate(full=True)
    except (pyarrow.ArrowException, OSError) as error:
        raise _unreadable(path, "arrow", error) from error
    return content_of(table)


def read_saved(folder: Path) -> Content:
    """Return the columns of a folder that `Dataset.save_to_disk` wrote."""
    import datasets

    try:
        return content_of_dataset(datasets.load_from_disk(str(folder)))
    except Exception as error:
        raise _unreadable(folder, "a saved data set", error) from error


def content_of_dataset(rows: Dataset) -> Content:
    """Return the columns of a data set of the datasets library."""
    table = rows.with_format("arrow")[:]
    return Content(content_of(table).data, names=_label_names(rows.features.arrow_schema))


def content_of(table: pyarrow.Table) -> Content:
    """Return the columns of an Arrow table; raise an ArrowInvalid where two have one name."""
    import pyarrow

    twice = next((name for number, name in enumerate(table.column_names) if name in table.column_names[:number]), None)
    if twice is not None:
        raise pyarrow.ArrowInvalid(f"two columns are called {twice!r}")
    return Content(dict(zip(table.column_names, table.columns, strict=True)), names=_label_names(table.schema))


def _label_names(schema: pyarrow.Schema) -> dict[str, list[str]]:
    """Return column → names of its numbers, as the datasets library keeps them beside a schema."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError):
        return {}
    found = {column: _class_names(feature) for column, feature in features.items()}
    return {column: names for column, names in found.items() if names}


def _class_names(feature: Any) -> list[str]:
    if isinstance(feature, list):
        return _class_names(feature[0]) if feature else []
    if not isinstance(feature, dict):
        return []
    if feature.get("_type") == "ClassLabel":
        return [str(name) for name in feature.get("names") or ()]
    return _class_names(feature.get("feature"))


def _unreadable(path: Path, kind: str, error: Exception) -> WorkbenchError:
    words = str(error).splitlines()[0] if str(error) else type(error).__name__
    return WorkbenchError(
        f"cannot be read as {kind}: {words}", where=str(path), hint="Copy or fetch it again.", code="damaged-file"
    )
