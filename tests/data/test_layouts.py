"""Sentences in columns, SQuAD's nesting, parallel files and queries become rows."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.data.test_sources import refused, rows_of
from tests.data.writing import write
from workbench.data.sources import read, read_file, validation_of
from workbench.errors import WorkbenchError

SENTENCES = [
    {"tokens": ["Ann", "#saw", "Berlin"], "ner_tags": ["B-PER", "O", "B-LOC"]},
    {"tokens": ["#"], "ner_tags": ["O"]},
    {"tokens": ["a b", "\xa0"], "ner_tags": ["O", "O"]},
]


@pytest.mark.parametrize("name", ["a.conll", "a.iob", "a.bio.gz", "a.CONLL"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_columns_of_tokens_become_lists(tmp_path: Path, name: str, end: str) -> None:
    first, second, third = map(tokens, SENTENCES)
    lines = ["-DOCSTART-\tO", "", "# a comment", "#one", *first, "", "  ", *second, "", *third]
    table = read_file(write(tmp_path / name, end.join(lines)))
    assert rows_of(table) == SENTENCES
    assert table.types == {"tokens": "list of text", "ner_tags": "list of text"}


def tokens(sentence: dict[str, list[str]]) -> list[str]:
    return [f"{token}\t{tag}" for token, tag in zip(sentence["tokens"], sentence["ner_tags"], strict=True)]


def test_blanks_part_columns_where_there_are_no_tabs(tmp_path: Path) -> None:
    content = "#comment\n-DOCSTART- -X- O O\n\n# NN I-NP O\nEU  NNP I-NP B-ORG\n\nGo VB O O\n"
    table = read_file(write(tmp_path / "a.conll", content))
    assert rows_of(table) == [
        {"tokens": ["#", "EU"], "column2": ["NN", "NNP"], "column3": ["I-NP", "I-NP"], "ner_tags": ["O", "B-ORG"]},
        {"tokens": ["Go"], "column2": ["VB"], "column3": ["O"], "ner_tags": ["O"]},
    ]


def test_uneven_columns_name_their_lines(tmp_path: Path) -> None:
    broken = "".join("x\tO\n" if number % 2 else "y\n" for number in range(1, 15))
    error = refused(write(tmp_path / "a.conll", broken), "line 2: 1 column, not 2")
    assert error.what.endswith("line 10: 1 column, not 2\nand 2 more lines")
    assert "Line 1 has 2" in error.hint


def test_conllu_has_words_comments_and_ranges(tmp_path: Path) -> None:
    first = ["# text = vámonos", "1-2\tvámonos\t_\t_", "1\tvamos\tir\tO", "2\tnos\tnosotros\tO", "2.1\tx\tx\tO"]
    lines = [*first, "", "# x\ty\tz\tO", "1\t#\t#\tB-X"]
    table = read_file(write(tmp_path / "a.conllu", "\n".join(lines)))
    assert rows_of(table) == [
        {"tokens": ["vamos", "nos"], "column1": ["1", "2"], "column3": ["ir", "nosotros"], "ner_tags": ["O", "O"]},
        {"tokens": ["#"], "column1": ["1"], "column3": ["#"], "ner_tags": ["B-X"]},
    ]
    assert table.notes == ["2 lines of several words or of none left out"]


def test_a_lone_column_of_tokens_has_no_tags(tmp_path: Path) -> None:
    assert rows_of(read_file(write(tmp_path / "a.conll", "Ann\nran\n"))) == [{"tokens": ["Ann", "ran"]}]


def squad(*questions: dict[str, Any]) -> str:
    paragraphs = [{"context": "Ann ran home.", "qas": [question]} for question in questions]
    return json.dumps({"version": "v2.0", "data": [{"title": "Ann", "paragraphs": paragraphs}]})


@pytest.mark.parametrize("name", ["a.json", "a.json.gz"])
def test_squad_becomes_one_row_a_question(tmp_path: Path, name: str) -> None:
    answer = {"text": "home", "answer_start": 8}
    known = {"id": "1", "question": "Where?", "answers": [answer, answer]}
    impossible = {"id": "2", "question": "When?", "is_impossible": True, "answers": [], "plausible_answers": [answer]}
    unasked = {"id": "3", "question": "Who?"}
    table = read_file(write(tmp_path / name, squad(known, impossible, unasked)))
    assert [row["answers"] for row in rows_of(table)] == [
        {"text": ["home", "home"], "answer_start": [8, 8]}, {"text": [], "answer_start": []}, None,
    ]  # fmt: skip
    first = {"id": "1", "title": "Ann", "context": "Ann ran home.", "question": "Where?"}
    assert {key: value for key, value in rows_of(table)[0].items() if key != "answers"} == first
    assert table.types["answers"] == "answers"


def test_squad_that_is_built_otherwise_names_the_article(tmp_path: Path) -> None:
    refused(write(tmp_path / "a.json", squad({"id": "1"})), "article 1 lacks 'question'")
    refused(write(tmp_path / "b.json", '{"data": [{"paragraphs": []}, {"paragraphs": 3}]}'), "article 2 is not built")


@pytest.mark.parametrize(
    ("first", "second", "names"),
    [
        ("train.en", "train.de", ["en", "de"]),
        ("train.en.gz", "train.de.gz", ["en", "de"]),
        ("news.en-de.en.txt", "news.en-de.de.txt", ["en", "de"]),
        ("english.txt", "german.txt", ["source", "target"]),
        ("a, b.en", "a, b.de", ["en", "de"]),
    ],
)
def test_parallel_files_are_two_columns(tmp_path: Path, first: str, second: str, names: list[str]) -> None:
    write(tmp_path / first, "one\n\n\ntwo \u2028\n")
    write(tmp_path / second, "eins\n\nx\nzwei\r\n")
    source = f"parallel:{tmp_path / first},{tmp_path / second}"
    table = read(source, tmp_path)
    assert table.columns == names
    assert [list(row.values()) for row in rows_of(table)] == [["one", "eins"], ["", "x"], ["two \u2028", "zwei"]]
    assert (table.notes, table.encoding) == (["1 blank line left out"], "UTF-8")
    assert validation_of(source, tmp_path) is None


def test_parallel_files_that_do_not_fit_say_both_lengths(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a.en", "x\n" * 1200), write(tmp_path / "a.de", "x\n")
    with pytest.raises(WorkbenchError, match=r"a\.en has 1 200 lines, a\.de 1"):
        read(f"parallel:{first},{second}", tmp_path)
    with pytest.raises(WorkbenchError, match="two files are needed"):
        read(f"parallel:{first}", tmp_path)
    with pytest.raises(WorkbenchError, match="there is no such file"):
        read(f"parallel:{first},{tmp_path}/a.fr", tmp_path)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    file = tmp_path / "some 100% reviews?.db"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE review (id INTEGER, body TEXT, stars REAL, label TEXT)")
        connection.executemany(
            "INSERT INTO review VALUES (?, ?, ?, ?)", [(1, "NA", 1.5, None), (2, "a; b -- c", 2.0, "007")]
        )
    connection.close()
    return file


def test_a_query_gives_rows(tmp_path: Path, database: Path) -> None:
    query = "SELECT body, label, id AS n, stars FROM review WHERE body <> '#' ORDER BY id"
    table = read(f"sqlite:{database}#{query}", tmp_path)
    assert rows_of(table) == [
        {"body": "NA", "label": None, "n": 1, "stars": 1.5},
        {"body": "a; b -- c", "label": "007", "n": 2, "stars": 2.0},
    ]  # fmt: skip
    assert table.types == {"body": "text", "label": "whole number, as text", "n": "whole number", "stars": "number"}
    assert rows_of(
        read(f"sqlite:{database}#WITH a AS (SELECT upper(body) AS b FROM review) SELECT b FROM a;", tmp_path)
    )


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("DELETE FROM review", "only SELECT is allowed"),
        ("INSERT INTO review (id) VALUES (3) RETURNING id", "only SELECT is allowed"),
        ("ATTACH 'other.db' AS other", "only SELECT is allowed"),
        ("PRAGMA user_version = 3", "only SELECT is allowed"),
        ("CREATE TEMP TABLE x (y)", "only SELECT is allowed"),
        ("VACUUM INTO 'copy.db'", "only SELECT is allowed"),
        ("SELECT 1 AS a; DELETE FROM review", "more than one statement"),
        ("SELECT body FROM nowhere", "the query fails: no such table: nowhere"),
        ("SELECT id, body AS id FROM review", "the query gives two columns 'id'"),
        ("SELECT body FROM review WHERE id > 5", "there are no rows"),
        ("", "there is no query"),
    ],
)
def test_a_query_that_writes_or_fails_is_refused(tmp_path: Path, database: Path, query: str, words: str) -> None:
    before = database.read_bytes()
    with pytest.raises(WorkbenchError, match=words):
        read(f"sqlite:{database}#{query}", tmp_path)
    assert database.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["some 100% reviews?.db"]


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    other = write(tmp_path / "a.db", "no database at all, but long enough to be read" * 40)
    with pytest.raises(WorkbenchError, match="not an SQLite file"):
        read(f"sqlite:{other}#SELECT a FROM b", tmp_path)
    with pytest.raises(WorkbenchError, match="there is no such file"):
        read(f"sqlite:{tmp_path}/none.db#SELECT 1 AS a", tmp_path)
    assert not (tmp_path / "none.db").exists()
