"""Rows are read as the source has them, whatever it is, and what cannot be read is named."""

from __future__ import annotations

import gzip
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.data.writing import WRITERS, Row, arrow, delimited, json_lines, parquet, write
from tests.shared import SHARED
from workbench.catalog import STARTERS
from workbench.data.sources import read, read_file, validation_of
from workbench.data.table import Table
from workbench.errors import WorkbenchError

ROWS: list[Row] = [
    {"text": "NA", "label": "1"},
    {"text": "null", "label": "007"},
    {"text": "None", "label": "1.0"},
    {"text": "nan", "label": "true"},
    {"text": 'a "quoted", one', "label": "-"},
    {"text": "", "label": "2020-01-01"},
    {"text": "中文 ☃", "label": "1e5"},
]
MULTILINE = [*ROWS, {"text": "two\nlines,\tone tab", "label": "x"}]


def rows_of(table: Table) -> list[Row]:
    """Return the rows of a table, whose count must be what it says."""
    columns = [table.values(column) for column in table.columns]
    rows = [dict(zip(table.columns, values, strict=True)) for values in zip(*columns, strict=True)]
    assert len(rows) == table.rows
    return rows


def refused(path: Path, words: str) -> WorkbenchError:
    """Return the error of a file that cannot be read; it names the file."""
    with pytest.raises(WorkbenchError) as refusal:
        rows_of(read_file(path))
    assert words in refusal.value.what, refusal.value.what
    assert refusal.value.where == str(path)
    return refusal.value


@pytest.mark.parametrize("packed", ["", ".gz"])
@pytest.mark.parametrize("ending", WRITERS)
def test_every_format_gives_the_texts_of_the_file(tmp_path: Path, ending: str, packed: str) -> None:
    table = read_file(write(tmp_path / f"a.{ending}{packed}", WRITERS[ending](MULTILINE)))
    assert rows_of(table) == MULTILINE
    assert table.types == {"text": "text", "label": "text"}
    assert table.encoding == ("—" if ending in ("parquet", "arrow") else "UTF-8")


texts = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    [
        '"',
        '""',
        '"a"',
        'a "b" c',
        '"a" b',
        "a\tb",
        "NA",
        "null",
        "None",
        "",
        "007",
        "1.0",
        "-",
        ",",
        "\x00",
        "\x85",
        "\u2028",
    ]
)
two_columns = st.lists(st.fixed_dictionaries({"text": texts, "label": texts}), min_size=1, max_size=6)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=two_columns, ending=st.sampled_from(sorted(WRITERS)), packed=st.booleans())
def test_whatever_the_texts_they_are_read_as_they_are(
    tmp_path: Path, rows: list[Row], ending: str, packed: bool
) -> None:
    path = write(tmp_path / f"any.{ending}{'.gz' if packed else ''}", WRITERS[ending](rows))
    assert rows_of(read_file(path)) == rows


lines = st.lists(
    st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), min_size=1, max_size=12).filter(
        lambda line: line.strip() and not line.endswith("\r") and not line.startswith("\ufeff")
    ),
    min_size=1,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(kept=lines, packed=st.booleans(), end=st.sampled_from(["\n", "\r\n"]))
def test_text_has_a_row_a_line(tmp_path: Path, kept: list[str], packed: bool, end: str) -> None:
    path = write(tmp_path / f"any.txt{'.gz' if packed else ''}", end.join([*kept, "", " \t"]))
    table = read_file(path)
    assert rows_of(table) == [{"text": line} for line in kept]
    assert table.notes == ["2 blank lines left out"]


CONTENTS = {
    "A.CSV": delimited(ROWS, ","), "A.TSV": delimited(ROWS, "\t"), "A.JSONL.GZ": json_lines(ROWS),
    "a.tsv.csv": delimited(ROWS, ","), "b [1] {x}?*/a [1].csv": delimited(ROWS, ","),
    "with.dots.v2.jsonl": json_lines(ROWS), "lines.json": json_lines(ROWS), "stream.arrow": arrow(ROWS, stream=True),
    "bom.jsonl": b"\xef\xbb\xbf" + json_lines(ROWS), "bom.csv": b"\xef\xbb\xbf" + delimited(ROWS, ","),
    "windows.csv": delimited(ROWS, ",").replace(b"\n", b"\r\n"),
    "windows.tsv": delimited(ROWS, "\t").replace(b"\n", b"\r\n"),
    "wide.csv": delimited(ROWS, ",").decode().encode("utf-16"),
    "wide-be.tsv": b"\xfe\xff" + delimited(ROWS, "\t").decode().encode("utf-16-be"),
    "nested.json": json.dumps({"version": 1, "data": ROWS}).encode(),
    "split=a/x.parquet": parquet(ROWS), "packed without saying so.csv": gzip.compress(delimited(ROWS, ",")),
}  # fmt: skip


@pytest.mark.parametrize("name", CONTENTS)
def test_endings_marks_and_layouts_do_not_change_the_rows(tmp_path: Path, name: str) -> None:
    table = read_file(write(tmp_path / name, CONTENTS[name]))
    assert rows_of(table) == ROWS
    assert (table.encoding == "UTF-16") == ("the file is UTF-16" in table.notes) == name.startswith("wide")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.jsonl", b'{"text": "x"}\n{"text": \n', "line 2: not valid JSON"),
        ("a.jsonl", b'{"text": "x"}\n\n{"text": "y"} tail\n', "line 3: not valid JSON (Extra data at character 15)"),
        ("a.jsonl.gz", b'{"text": "x"}\nbroken\n', "line 2: not valid JSON"),
        ("a.jsonl", b'{"text": "x"}\n["y"]\n', "line 2 is a list, not an object"),
        ("a.jsonl", b'{"a": 1, "a": 2}\n', "line 1: not valid JSON (the key 'a' stands twice in one object)"),
        ("a.jsonl", b"[" * 100_000, "line 1: not valid JSON (lists in lists without end)"),
        ("a.json", b'[{"text": "x"},\n {"text" "y"}]', "line 2: not valid JSON"),
        ("a.json", b'[{"text": "x"}, ', "line 1: not valid JSON"),
        ("a.json", b'[{"text": "x"}, "y"]', "row 2 is a text, not an object"),
        ("a.json", b'{"a": [{"x": 1}], "b": [{"x": 1}]}', "several lists of rows: a, b"),
        ("a.json", b'{"text": ["x", "y"]}', "an object without a list of rows"),
        ("a.json", b"3", "the file holds a number, not rows"),
        ("a.json", b"[]", "there are no rows"),
        ("a.parquet", b"PAR1 not really", "cannot be read as parquet: Parquet magic bytes not found"),
        ("a.parquet", parquet(ROWS)[:-20], "cannot be read as parquet"),
        ("a.arrow", b"ARROW1 not really", "cannot be read as arrow"),
        ("a.arrow", arrow(ROWS)[:300], "cannot be read as arrow"),
        ("a.arrow", arrow(ROWS, stream=True)[:200], "cannot be read as arrow"),
        ("a.jsonl", b"", "the file is empty"),
        ("a.csv.gz", b"", "the file is empty"),
        ("a.csv", b"text,label\n", "there are no rows"),
        ("a.csv", b"\n\n\n", "there are no rows"),
        ("a.txt", b" \n\n", "there are no rows"),
        ("a.docx", b"x", "cannot tell the format"),
        ("no-ending", b"x", "cannot tell the format"),
        ("a.jsonl", b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n", "a Git LFS pointer"),
        ("a.parquet", b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n", "a Git LFS pointer"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    refused(write(tmp_path / name, content), words)


def test_a_damaged_gzip_is_an_error_for_people(tmp_path: Path) -> None:
    packed = gzip.compress(delimited(ROWS, ","))
    for number, damaged in enumerate((packed[:-12], packed[:-4] + b"1234", packed[:12] + b"\xff" * 8 + packed[20:])):
        path = tmp_path / f"{number}.csv.gz"
        path.write_bytes(damaged)
        refused(path, "the gzip file is damaged")
    plain = tmp_path / "plain.csv.gz"
    plain.write_bytes(delimited(ROWS, ","))
    refused(plain, "not packed with gzip")


WESTERN = "Où est le café ? À côté de la forêt, là où naît la rivière."
ENCODED = [
    (WESTERN.encode("cp1252"), "looks like Latin-1 (cp1252)", "iconv -f cp1252 -t utf-8"),
    (b"un \xe9t\xe9 \x81 tr\xe8s chaud", "Latin-1 (iso-8859-1)", "iconv -f iso-8859-1"),
    ("Это очень хороший фильм, я его советую всем.".encode("cp1251"), "Cyrillic (cp1251)", "iconv -f cp1251"),
    ("这家酒店的服务非常好，房间也很干净。".encode("gb18030"), "GB 18030", "iconv -f gb18030"),
    ("とても良いホテルでした。また泊まりたいです。".encode("shift_jis"), "Shift JIS", "iconv -f shift_jis"),
    ("정말 좋은 호텔이었습니다. 다시 오고 싶어요.".encode("cp949"), "EUC-KR", "iconv -f cp949"),
    ("x\ny é".encode("utf-16-le"), "UTF-16 without a mark", "iconv -f utf-16-le"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "title", "command"), ENCODED)
@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "json", "txt", "conll"])
def test_text_that_is_not_utf8_is_named_with_its_line_and_a_guess(
    tmp_path: Path, ending: str, content: bytes, title: str, command: str
) -> None:
    path = write(tmp_path / f"a.{ending}", b"text\n" * 16 + content + b"\n" if b"\0" not in content else content)
    error = refused(path, "line 2" if b"\0" in content else "line 17")
    assert title in error.what
    assert command in error.hint


def test_one_broken_character_among_good_ones_is_told_from_another_encoding(tmp_path: Path) -> None:
    good = "中文中文中文中文\n".encode() * 20
    error = refused(
        write(tmp_path / "a.txt", good + b"caf\xe9 x\n" + good), "line 21 is not UTF-8, but the lines around"
    )
    assert "iconv -c" in error.hint
    refused(write(tmp_path / "b.txt", good[:-2]), "line 20 ends the file in the middle of a character")


def test_a_parquet_text_that_is_not_utf8_names_the_column(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet as format

    broken = pyarrow.array([b"\xff\xfe"]).view(pyarrow.string())
    format.write_table(pyarrow.table({"text": broken}), tmp_path / "a.parquet")
    refused(tmp_path / "a.parquet", "column 'text' is not UTF-8 text")


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(WorkbenchError, match="there is no such file"):
        read(str(tmp_path / "none.csv"), tmp_path)
    with pytest.raises(WorkbenchError, match="the folder has no train file"):
        read(str(tmp_path), tmp_path)
    with pytest.raises(WorkbenchError, match="cannot be looked up"):
        read("x" * 5000 + ".csv", tmp_path)


@pytest.mark.parametrize("name", STARTERS)
def test_a_starter_set_is_read_with_its_own_evaluation_rows(tmp_path: Path, name: str) -> None:
    source = f"starter:{name}"
    assert validation_of(source, tmp_path) == source
    train, validation = (read(source, tmp_path, split) for split in ("train", "validation"))
    assert train.types == validation.types
    assert train.rows > validation.rows > 10


def test_a_starter_set_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(WorkbenchError, match="no starter set 'poems'"):
        read("starter:poems", tmp_path)


@pytest.mark.parametrize("name", ["validation.csv", "valid.jsonl.gz", "dev.tsv", "Val.json"])
def test_a_folder_has_its_splits(tmp_path: Path, name: str) -> None:
    write(tmp_path / "train.jsonl", json_lines(ROWS))
    assert validation_of(str(tmp_path), tmp_path) is None
    write(tmp_path / name, WRITERS[name.split(".")[1]](ROWS[:2]))
    write(tmp_path / "README.md", b"train\n")
    source = str(tmp_path)
    assert validation_of(source, tmp_path) == source
    assert rows_of(read(source, tmp_path)) == ROWS
    assert rows_of(read(source, tmp_path, "validation")) == ROWS[:2]


def test_beside_a_single_file_nothing_is_taken(tmp_path: Path) -> None:
    write(tmp_path / "validation.jsonl", json_lines(ROWS))
    assert validation_of(str(write(tmp_path / "train.jsonl", json_lines(ROWS))), tmp_path) is None


def test_two_files_of_one_split_are_named(tmp_path: Path) -> None:
    for name in ("train.csv", "train.tsv"):
        write(tmp_path / name, b"text,label\nx,1\n")
    with pytest.raises(WorkbenchError, match=r"several train files: train\.csv, train\.tsv"):
        read(str(tmp_path), tmp_path)


def test_what_datasets_saved_is_read(tmp_path: Path) -> None:
    import datasets

    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["bad", "good"])}
    )
    rows = [{"text": f"x {number}", "label": number % 2} for number in range(6)]
    whole = datasets.Dataset.from_list(rows, features=features)
    datasets.DatasetDict({"train": whole.select([3, 1, 5]), "dev": whole.select([0])}).save_to_disk(tmp_path / "both")
    whole.save_to_disk(tmp_path / "alone")
    both, alone = str(tmp_path / "both"), str(tmp_path / "alone")
    table = read(both, tmp_path)
    assert rows_of(table) == [rows[3], rows[1], rows[5]]
    assert (table.types, table.names) == ({"text": "text", "label": "whole number"}, {"label": ["bad", "good"]})
    assert (validation_of(both, tmp_path), validation_of(alone, tmp_path)) == (both, None)
    assert rows_of(read(both, tmp_path, "validation")) == [rows[0]]
    assert rows_of(read(alone, tmp_path)) == rows_of(read(alone, tmp_path, "validation")) == rows
    for file in (tmp_path / "alone").glob("*.arrow"):
        file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(WorkbenchError, match="cannot be read as a saved data set"):
        read(alone, tmp_path)


def test_a_parquet_of_datasets_keeps_the_names_of_labels(tmp_path: Path) -> None:
    import datasets

    tags = datasets.ClassLabel(names=["O", "B-PER"])
    features = datasets.Features({"tokens": datasets.List(datasets.Value("string")), "ner_tags": datasets.List(tags)})
    made = datasets.Dataset.from_list([{"tokens": ["Ann", "ran"], "ner_tags": [1, 0]}], features=features)
    made.to_parquet(tmp_path / "a.parquet")
    table = read_file(tmp_path / "a.parquet")
    assert table.names == {"ner_tags": ["O", "B-PER"]}
    assert table.types == {"tokens": "list of text", "ner_tags": "list of whole numbers"}
    assert rows_of(table) == [{"tokens": ["Ann", "ran"], "ner_tags": [1, 0]}]


VALUES: list[tuple[Any, str]] = [
    ([1, 2], "whole number"), ([1, 2.5], "number"), ([True], "yes/no"), (["a", None], "text"), ([None], "nothing"),
    (["1", "-2"], "whole number, as text"), (["1.5", "2e3"], "number, as text"), ([["a"], []], "list of text"),
    ([[1], [2]], "list of whole numbers"), ([[]], "list"), ([[{"a": 1}]], "list of objects"),
    ([12**30], "whole number"),
]  # fmt: skip


@pytest.mark.parametrize(("values", "words"), VALUES)
def test_a_column_says_what_it_holds(tmp_path: Path, values: list[Any], words: str) -> None:
    rows = [{"column": value} for value in values]
    table = read_file(write(tmp_path / "a.jsonl", json_lines(rows)))
    assert (table.types, rows_of(table)) == ({"column": words}, rows)
    assert [type(row["column"]) for row in rows_of(table)] == list(map(type, values))


def test_mixed_values_stay_and_are_told(tmp_path: Path) -> None:
    rows = [{"label": 1}, {"label": "1"}, {"label": 1.0}, {"label": True}]
    table = read_file(write(tmp_path / "a.json", json.dumps(rows)))
    assert [repr(row["label"]) for row in rows_of(table)] == ["1", "'1'", "1.0", "True"]
    assert table.notes == ["column 'label' holds number or text or whole number or yes/no, as it stands"]


def test_what_a_row_lacks_is_told(tmp_path: Path) -> None:
    table = read_file(write(tmp_path / "a.jsonl", b'{"a": 1}\n\n{"a": 2, "b": 3}\n{"b": 4}\n'))
    assert rows_of(table) == [{"a": 1, "b": None}, {"a": 2, "b": 3}, {"a": None, "b": 4}]
    assert table.notes == [
        "1 blank line left out",
        "'a' is not in 1 rows, first in line 4: empty there",
        "'b' is not in 1 rows, first in line 1: empty there",
    ]


STRUCTS = [
    {"translation": {"en": "one", "de": "eins"}, "answers": {"text": ["a"], "answer_start": [0]}},
    {"translation": None, "answers": {"text": [], "answer_start": []}},
    {"translation": {"en": "two", "de": None}, "answers": {"text": ["b"], "answer_start": [2]}},
]


@pytest.mark.parametrize("ending", ["jsonl", "json", "parquet", "arrow"])
def test_structs_become_columns_but_answers(tmp_path: Path, ending: str) -> None:
    table = read_file(write(tmp_path / f"a.{ending}", WRITERS[ending](STRUCTS)))
    assert table.types == {"translation.en": "text", "translation.de": "text", "answers": "answers"}
    assert table.values("translation.en") == ["one", None, "two"]
    assert table.values("translation.de") == ["eins", None, None]
    assert table.values("answers") == [row["answers"] for row in STRUCTS]


def test_structs_in_structs_and_dictionaries(tmp_path: Path) -> None:
    deep = [{"a": {"b": {"c": 1}, "d": "x"}}]
    for ending in ("jsonl", "parquet"):
        assert rows_of(read_file(write(tmp_path / f"a.{ending}", WRITERS[ending](deep)))) == [{"a.b.c": 1, "a.d": "x"}]
    many = [{"a": {f"key {number}": 1}} for number in range(200)]
    assert rows_of(read_file(write(tmp_path / "b.jsonl", json_lines(many)))) == many
    refused(write(tmp_path / "c.jsonl", json_lines([{"a": {"b": 1}, "a.b": 2}])), "two columns are called 'a.b'")


def test_large_files_are_read_in_seconds(tmp_path: Path) -> None:
    rows = [
        {"text": f'row {number} says "something" of {number % 7}', "label": str(number % 3)}
        for number in range(100_000)
    ]
    for ending in ("jsonl", "csv", "tsv"):
        path = write(tmp_path / f"a.{ending}", WRITERS[ending](rows))
        started = time.process_time()
        assert read_file(path).rows == 100_000
        assert time.process_time() - started < 6


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the development data are not here")
def test_the_same_rows_in_two_formats_are_equal(tmp_path: Path) -> None:
    data = SHARED / "data"
    for one, other in (("wnut17", "wnut17-jsonl"), ("squad", "squad-flat")):
        for split in ("train", "validation"):
            first, second = read(str(data / one), tmp_path, split), read(str(data / other), tmp_path, split)
            for column in first.columns:
                assert first.values(column) == second.values(column), (one, column)
    flat, struct = read(str(data / "multi30k"), tmp_path), read(str(data / "multi30k-parquet"), tmp_path)
    assert flat.values("en") == struct.values("translation.en")
    assert flat.values("de") == struct.values("translation.de")
