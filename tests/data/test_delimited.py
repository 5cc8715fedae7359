"""Fields parted by commas or tabs: quotes, headers and uneven lines."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.data.test_sources import refused, rows_of
from tests.data.writing import delimited, write
from tests.shared import SHARED
from workbench.data.sources import read, read_file
from workbench.data.table import Table

ENCLOSE = "quotes enclose fields here: they are taken off"


def table_of(tmp_path: Path, content: str, ending: str = "tsv") -> Table:
    return read_file(write(tmp_path / f"a.{ending}", content))


def texts_of(tmp_path: Path, content: str, ending: str = "tsv") -> list[list[str]]:
    table = table_of(tmp_path, content, ending)
    return [list(row.values()) for row in rows_of(table)]


@pytest.mark.parametrize(
    ("content", "found", "enclose"),
    [
        # Quotes that do not enclose the whole of each field stand for themselves.
        ('text\tlabel\n"Hello" he said\tx\n', ['"Hello" he said', "x"], False),
        ('text\tlabel\nhe said "hello"\tx\n', ['he said "hello"', "x"], False),
        ('text\tlabel\n"\tx\n', ['"', "x"], False),
        ('text\tlabel\n5" disk\t3" disk\n', ['5" disk', '3" disk'], False),
        ('text\tlabel\n"a ""b"" c"\tit is 5" wide\n', ['"a ""b"" c"', 'it is 5" wide'], False),
        # Enclosed, but nothing shows that a program did it.
        ('text\tlabel\n"Hello"\tx\n', ['"Hello"', "x"], False),
        # A quote at the beginning of one line and at the end of another do not swallow what is between.
        ('text\tlabel\n"go\tx\nstop"\ty\n', ['"go', "x"], False),
        ('text\tlabel\n"go\tx\ny\t"\n', ['"go', "x"], False),
        ('text\tlabel\n"a ""b"""\tx\n"go\tx\ny\t"\n', ['"a ""b"""', "x"], False),
        # Doubled quotes, an enclosed header, tabs and line feeds inside: written by a program.
        ('text\tlabel\n"a ""b"" c"\tx\n', ['a "b" c', "x"], True),
        ('text\tlabel\n""\tx\n', ["", "x"], True),
        ('"text"\t"label"\n"Hello"\t"x"\n', ["Hello", "x"], True),
        ('"text"\t"label"\r\n"Hello"\tx\r\n', ["Hello", "x"], True),
        ('text\tlabel\n"a\tb"\tx\nc\ty\n', ["a\tb", "x"], True),
        ('text\tlabel\n"a\n\nb"\tx\nc\ty\n', ["a\n\nb", "x"], True),
    ],
)
def test_tabs_with_quotes(tmp_path: Path, content: str, found: list[str], enclose: bool) -> None:
    table = table_of(tmp_path, content)
    assert list(rows_of(table)[0].values()) == found
    assert (ENCLOSE in table.notes) == enclose


def test_quotes_at_the_beginning_of_fields_are_told(tmp_path: Path) -> None:
    table = table_of(tmp_path, 'text\tlabel\n"Hello" he said\tx\n')
    assert table.notes == ["1 field with a quote at the beginning: quotes are taken as they stand"]


fields = st.text(st.sampled_from('ab"\t\n\r ,\x85'), max_size=5)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=st.lists(st.tuples(fields, fields), min_size=1, max_size=5), separator=st.sampled_from(",\t"))
def test_what_a_program_enclosed_throughout_comes_back(
    tmp_path: Path, rows: list[tuple[str, str]], separator: str
) -> None:
    named = [{"text": text, "label": label} for text, label in rows]
    path = write(tmp_path / f"a.{'csv' if separator == ',' else 'tsv'}", delimited(named, separator, csv.QUOTE_ALL))
    assert rows_of(read_file(path)) == named


in_a_line = st.text(st.characters(exclude_characters="\t\n\r", exclude_categories=["Cs"]), max_size=8)
plain = in_a_line.map(lambda text: f'{text}"x')


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=st.lists(st.tuples(plain, plain), min_size=1, max_size=5))
def test_what_nobody_enclosed_stays_as_it_is(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    content = "".join(f"{text}\t{label}\n" for text, label in [("text", "label"), *rows])
    assert texts_of(tmp_path, content) == [list(row) for row in rows]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('text,label\n"a,1\nb,2\n', "line 2 opens a quote that is never closed"),
        ('text,label\nx,1\n"a" b,1\n', "line 3 has text behind a closing quote"),
        ('text,label\n"a \\"b\\" c",1\n', "line 2 has text behind a closing quote"),
        ("text,label\nx\ry,1\n", "line 2 has a carriage return outside quotes"),
        ("text,label\nx,1\ny,2,3\n", "line 3: 3 fields, not 2"),
        ('text,label\n"x\ny",1\ny\n', "line 4: 1 field, not 2"),
        ("text,text\nx,1\n", "line 1 names two columns 'text'"),
        ("text,label\nx,1\ntext,label\ny,2\n", "line 3 repeats the header"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, content: str, words: str) -> None:
    refused(write(tmp_path / "a.csv", content), words)
    refused(write(tmp_path / "a.csv.gz", content), words)


@pytest.mark.parametrize(("ending", "mark"), [("csv", ","), ("tsv", "\t")])
def test_five_uneven_lines_are_named_and_the_rest_counted(tmp_path: Path, ending: str, mark: str) -> None:
    lines = [mark.join("xy" if number % 2 else "xyz") for number in range(16)]
    error = refused(write(tmp_path / f"a.{ending}", "\n".join([mark.join(("text", "label")), *lines])), "line 2: 3")
    assert error.what.splitlines() == [
        *(f"line {line}: 3 fields, not 2" for line in (2, 4, 6, 8, 10)),
        "and 3 more lines",
    ]
    assert error.hint == "Line 1 has 2. A field that holds a separator must be quoted."


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("good film\t1\nbad film\t0\n", "line 1 holds a number, 1"),
        ("good film\t\nbad film\tx\n", "line 1 has an empty field"),
        (f"{'long ' * 20}\tx\nbad\ty\n", "line 1 holds 100 characters in one field"),
        ("good film\tpos\nbad film\tneg\nfine\tpos\n", "line 1 holds 'pos', as lines below do"),
    ],
)
def test_a_first_line_of_values_is_a_row(tmp_path: Path, content: str, reason: str) -> None:
    table = table_of(tmp_path, content)
    assert table.columns == ["column1", "column2"]
    assert table.rows == content.count("\n")
    assert table.notes == [f"{reason}: the file has no header; its columns are called column1, column2"]


@pytest.mark.parametrize(
    "content",
    [
        "verdict\twords\nx\ty\n",
        "text\t2020\nx\ty\n",  # a usual name decides
        f"text\t{'long ' * 20}\nx\ty\n",
        "Sentence\tLABEL\nx\tLABEL\n",
        "\ttext\n0\tx\n1\ty\n",  # an index that was saved with the table
    ],
)
def test_a_first_line_of_names_is_a_header(tmp_path: Path, content: str) -> None:
    table = table_of(tmp_path, content)
    assert table.columns == [name or "column1" for name in content.split("\n")[0].split("\t")]
    assert table.rows == content.count("\n") - 1
    assert table.notes == []


def test_blank_lines_are_counted(tmp_path: Path) -> None:
    for ending, mark in (("csv", ","), ("tsv", "\t")):
        table = table_of(tmp_path, f"text{mark}label\n\nx{mark}1\n\r\n{mark}\n", ending)
        assert [list(row.values()) for row in rows_of(table)] == [["x", "1"], ["", ""]]
        assert table.notes == ["2 blank lines left out"]


def test_a_lone_column_that_another_mark_parts_is_told(tmp_path: Path) -> None:
    table = table_of(tmp_path, "text;label\ngood;1\n", "csv")
    assert table.columns == ["text;label"]
    assert table.notes == ["there is one column; if ';' parts the fields, save the file with commas"]


def test_a_field_may_be_long(tmp_path: Path) -> None:
    assert texts_of(tmp_path, f'text,label\n"{"x, " * 100_000}",1\n', "csv") == [["x, " * 100_000, "1"]]


def test_many_opening_quotes_take_no_longer_than_few(tmp_path: Path) -> None:
    rows = "".join(f'"a ""b"" {number}\tx\n' for number in range(50_000))
    assert table_of(tmp_path, f"text\tlabel\n{rows}").rows == 50_000


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the development data are not here")
def test_emotions_in_their_native_form(tmp_path: Path) -> None:
    source = str(SHARED / "data" / "goemotions-tsv")
    for split, rows in (("train", 8000), ("validation", 5426), ("test", 5427)):
        table = read(source, tmp_path, split)
        assert (table.rows, table.columns) == (rows, ["column1", "column2", "column3"])
        assert ENCLOSE in table.notes
    assert read(source, tmp_path).values("column2")[:5] == ["27", "27", "2", "14", "3"]
