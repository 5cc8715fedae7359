"""Read rows from a file, as the file has them: no value is guessed, changed or dropped."""

from __future__ import annotations

import csv
import glob
import gzip
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.catalog import STARTERS
from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    from datasets import Dataset

STARTER_FOLDER = Path(__file__).parent.parent / "starter"
FORMATS = {"csv": "csv", "tsv": "csv", "jsonl": "json", "ndjson": "json", "json": "json", "parquet": "parquet"}


@dataclass(frozen=True)
class Table:
    """Rows as a source has them; `where` is what to call it, `notes` what the reader understood."""

    rows: Dataset
    where: str
    notes: list[str] = field(default_factory=list)

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return list(self.rows.column_names)

    def values(self, column: str) -> list[Any]:
        """Return a column; raise a WorkbenchError where it is not UTF-8 text."""
        return values_of(self.rows, column, Path(self.where))


def read(source: str, cache: Path, split: str = "train") -> Table:
    """Return the rows of a source."""
    path = locate(source, split)
    return Table(read_file(path, cache), str(path))


def validation_of(source: str) -> str | None:
    """Return the source of the evaluation rows that belong to a training source, where it has them itself."""
    return source if source.startswith("starter:") else None


def locate(source: str, split: str = "train") -> Path:
    """Return the file that a source names: a path, or `starter:NAME` for a set that ships with the workbench."""
    if source.startswith("starter:"):
        name = source.removeprefix("starter:")
        if name not in STARTERS:
            raise WorkbenchError(
                f"no starter set {name!r}", where="data.train", hint=f"There are: {', '.join(STARTERS)}."
            )
        return STARTER_FOLDER / name / f"{split}.jsonl"
    return Path(source)


def kind_of(path: Path) -> str:
    """Return which loader reads this file: csv, json or parquet; by its ending, `.gz` left out."""
    if _ending(path) not in FORMATS:
        known = ", ".join(f".{ending}" for ending in FORMATS)
        raise WorkbenchError(
            "cannot tell the format from the file's name",
            where=str(path),
            hint=f"Known endings: {known}, also with .gz.",
        )
    return FORMATS[_ending(path)]


def read_file(path: Path, cache: Path) -> Dataset:
    """Return the rows of a file; raise a WorkbenchError that names the file and the line where it cannot be read.

    Every value of a csv or tsv file is a text: "NA", "007" and "" stay what they are.
    """
    import datasets

    try:
        exists = path.exists()
    except OSError as error:
        raise WorkbenchError(f"cannot be looked up: {error.strerror}", where=str(path)[:200]) from error
    if not exists:
        raise WorkbenchError("there is no such file", where=str(path), hint="Check data.train and data.validation.")
    if not path.is_file():
        raise WorkbenchError("not a file", where=str(path), hint="Name the file itself, for example train.jsonl.")
    kind = kind_of(path)
    if path.stat().st_size == 0:
        raise WorkbenchError("the file is empty", where=str(path))
    datasets.disable_progress_bars()
    try:
        options = _csv_options(path) if kind == "csv" else {}
        # A name is a pattern to the loader: what stands in it for itself must be said to.
        named = glob.escape(str(path))
        rows = datasets.load_dataset(kind, data_files=named, split="train", cache_dir=str(cache), **options)
    except Exception as error:
        raise WorkbenchError(_reason(path, kind, error), where=str(path)) from error
    if not len(rows):
        raise WorkbenchError("the file has no rows", where=str(path))
    return rows


def _csv_options(path: Path) -> dict[str, Any]:
    """Return what makes the loader keep every value as the text that the file has."""
    import datasets

    separator = "\t" if _ending(path) == "tsv" else ","
    with _open_text(path) as stream:
        header = next(csv.reader(stream, delimiter=separator))
    texts = datasets.Features({column: datasets.Value("string") for column in header})
    return {"sep": separator, "keep_default_na": False, "features": texts}


def values_of(rows: Dataset, column: str, path: Path) -> list[Any]:
    """Return a column of the rows of a file; raise a WorkbenchError where it is not UTF-8 text."""
    try:
        values: list[Any] = rows[column][:]
    except UnicodeDecodeError as error:
        raise WorkbenchError(_broken_line(path) or "not UTF-8 text", where=str(path)) from error
    return values


def _reason(path: Path, kind: str, error: Exception) -> str:
    """Say in words why a file cannot be read, with the line where that can be found."""
    broken = _broken_line(path) if kind == "json" and _ending(path) != "json" else ""
    if broken:
        return broken
    if "corresponds to no data" in str(error):
        return "the file has no rows"
    cause = error
    while cause.__cause__ is not None and isinstance(cause.__cause__, Exception):
        cause = cause.__cause__
    return f"cannot be read as {kind}: {cause}"


def _broken_line(path: Path) -> str:
    """Return which line of a jsonl file is broken and why, or nothing where each line can be read."""
    number = 0
    try:
        with _open_text(path) as stream:
            for number, line in enumerate(stream, 1):  # noqa: B007
                if line.strip():
                    json.loads(line)
    except UnicodeDecodeError:
        return f"not UTF-8 text after line {number}"
    except (ValueError, OSError) as problem:
        return f"line {number}: not valid JSON ({problem})"
    return ""


def _open_text(path: Path) -> Any:
    # Spreadsheets begin a file with a byte order mark, which is no part of the first column's name.
    packed = path.suffix.lower() == ".gz"
    return gzip.open(path, "rt", encoding="utf-8-sig") if packed else path.open(encoding="utf-8-sig")


def _ending(path: Path) -> str:
    """Return the last ending in small letters, without its dot, `.gz` left out; nothing where there is none."""
    endings = [ending.removeprefix(".").lower() for ending in path.suffixes]
    return next((ending for ending in reversed(endings[-2:]) if ending != "gz"), "")
