"""Rows are read as the file has them, and what cannot be read is named."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

from workbench.catalog import TASKS
from workbench.data.columns import choose_columns
from workbench.data.sources import locate, values_of
from workbench.data.sources import read_file as read
from workbench.errors import WorkbenchError

ROWS = [
    {"text": "NA", "label": "1"},
    {"text": "null", "label": "007"},
    {"text": "None", "label": "1.0"},
    {"text": "nan", "label": "true"},
    {"text": 'a "quoted", one', "label": "-"},
    {"text": "two\nlines", "label": ""},
    {"text": "中文 ☃", "label": "1e5"},
]


def as_csv(separator: str) -> bytes:
    quoted = [[f'"{value.replace(chr(34), chr(34) * 2)}"' for value in row.values()] for row in ROWS]
    return "\n".join(separator.join(row) for row in [["text", "label"], *quoted]).encode()


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if path.suffix.lower() == ".gz" else content)
    return path


def as_lines() -> bytes:
    return "\n".join(json.dumps(row) for row in ROWS).encode()


CONTENTS = {
    "a.csv": as_csv(","), "a.tsv": as_csv("\t"), "a.jsonl": as_lines(), "a.ndjson": as_lines(),
    "a.json": json.dumps(ROWS).encode(), "a.csv.gz": as_csv(","), "a.tsv.gz": as_csv("\t"), "a.jsonl.gz": as_lines(),
    "A.CSV": as_csv(","), "A.TSV": as_csv("\t"), "A.JSONL.GZ": as_lines(), "a.tsv.csv": as_csv(","),
    "b [1] {x}?*/a [1].csv": as_csv(","), "with.dots.v2.jsonl": as_lines(),
    "bom.jsonl": b"\xef\xbb\xbf" + as_lines(),
    "bom.csv": b"\xef\xbb\xbf" + as_csv(","), "windows.csv": as_csv(",").replace(b"\n", b"\r\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", CONTENTS)
def test_every_format_gives_the_texts_of_the_file(tmp_path: Path, name: str) -> None:
    rows = read(write(tmp_path / name, CONTENTS[name]), tmp_path / "cache")
    found = [{key: value.replace("\r\n", "\n") for key, value in row.items()} for row in rows]
    assert found == ROWS


def test_parquet_is_read(tmp_path: Path) -> None:
    import datasets

    datasets.Dataset.from_list(ROWS).to_parquet(tmp_path / "a.parquet")
    assert list(read(tmp_path / "a.parquet", tmp_path / "cache")) == ROWS


def test_an_edited_file_is_read_anew(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", b"text,label\nold,1\n")
    assert read(path, tmp_path / "cache")["text"][:] == ["old"]
    stamp = path.stat()
    path.write_bytes(b"text,label\nnew,1\n")
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns + 1_000_000_000))
    assert read(path, tmp_path / "cache")["text"][:] == ["new"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.jsonl", b'{"text": "x"}\n{"text": \n', "line 2"),
        ("a.jsonl", b'{"text": "x"}\n{"text": "y"} tail\n', "line 2"),
        ("a.jsonl.gz", b'{"text": "x"}\nbroken\n', "line 2"),
        ("A.JSONL.GZ", b'{"text": "x"}\nbroken\n', "line 2"),
        ("a.csv", b"text,label\nx,1\ny,2,3\n", "line 3"),
        ("a.json", b'[{"text": "x"}, ', "cannot be read as json"),
        ("a.parquet", b"PAR1 not really", "cannot be read as parquet"),
        ("a.jsonl", b"", "empty"),
        ("a.csv", b"text,label\n", "no rows"),
        ("a.csv", b"\n\n\n", "a.csv"),
        ("a.docx", b"x", "format"),
        ("no-ending", b"x", "format"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    path = write(tmp_path / name, content)
    with pytest.raises(WorkbenchError) as refusal:
        read(path, tmp_path / "cache")
    assert words in str(refusal.value)
    assert refusal.value.where == str(path)


def test_text_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", b'{"text": "x"}\n{"text": "\xff\xfe"}\n')
    with pytest.raises(WorkbenchError, match="not UTF-8 text") as refusal:
        values_of(read(path, tmp_path / "cache"), "text", path)
    assert refusal.value.where == str(path)


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(WorkbenchError, match="there is no such file"):
        read(tmp_path / "none.csv", tmp_path)
    with pytest.raises(WorkbenchError, match="not a file"):
        read(tmp_path, tmp_path)


def test_a_damaged_gzip_is_an_error_for_people(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(as_csv(","))[:-12])
    with pytest.raises(WorkbenchError):
        read(path, tmp_path / "cache")


def test_a_starter_set_is_there_and_another_is_not() -> None:
    assert locate("starter:sentiment").is_file()
    assert locate("starter:sentiment", "validation").is_file()
    with pytest.raises(WorkbenchError, match="no starter set 'poems'"):
        locate("starter:poems")


def choose(columns: list[str], text: str | None = None, label: str | None = None) -> dict[str, str]:
    return choose_columns(TASKS["sentiment"].roles, {"text": text, "label": label}, columns, "file.csv")


def test_columns_are_found_by_their_usual_names() -> None:
    assert choose(["id", "Sentence", "LABEL"]) == {"text": "Sentence", "label": "LABEL"}
    assert choose(["review", "text", "label", "category"]) == {"text": "text", "label": "label"}
    assert choose(["x", "y"], "x", "y") == {"text": "x", "label": "y"}


def test_a_column_that_is_not_there_gets_a_near_one_named() -> None:
    with pytest.raises(WorkbenchError, match="no column 'txet'; did you mean \"text\"") as refusal:
        choose(["text", "label"], "txet")
    assert "text, label" in refusal.value.hint
    with pytest.raises(WorkbenchError, match="cannot tell which column is the label") as refusal:
        choose(["text", "zzz"])
    assert "zzz" in refusal.value.hint
