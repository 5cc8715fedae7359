"""From a recipe to examples: what is wrong is named with file, column and row; what flatters is noted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.making import toy_rows, write_jsonl
from workbench.data.doctor import doubts
from workbench.data.features import Example
from workbench.data.prepare import Prepared, prepare
from workbench.errors import WorkbenchError
from workbench.recipe import parse


def prepared(
    folder: Path, train: list[dict[str, Any]], validation: list[dict[str, Any]] | None = None, **data: Any
) -> Prepared:
    """Prepare rows written to files; `data` are more settings of the recipe's data table."""
    data["train"] = str(write_jsonl(folder / "train.jsonl", train))
    if validation is not None:
        data["validation"] = str(write_jsonl(folder / "validation.jsonl", validation))
    made = parse({"task": "sentiment", "data": data, "backbone": "size:tiny", "strategy": "full", "seed": 3})
    return prepare(made, folder / "cache")


def texts_of(examples: list[Example]) -> set[str]:
    return {example.fields["text"] for example in examples}


def refused(folder: Path, rows: list[dict[str, Any]], validation: list[dict[str, Any]] | None = None) -> WorkbenchError:
    with pytest.raises(WorkbenchError) as refusal:
        prepared(folder, rows, validation)
    return refusal.value


def test_a_label_that_training_does_not_have_is_named_with_its_row(tmp_path: Path) -> None:
    error = refused(tmp_path, toy_rows(4), [*toy_rows(2), {"text": "x", "label": "odd"}, {"text": "y", "label": "odd"}])
    assert error.what.splitlines()[0] == "row 3: column 'label' holds 'odd', a label that no training row has"
    assert error.where == str(tmp_path / "validation.jsonl")
    assert "bad, good" in error.hint


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"text": "", "label": "good"}, "row 5: column 'text' is empty"),
        ({"text": " \t\n", "label": "good"}, "row 5: column 'text' is empty"),
        ({"text": None, "label": "good"}, "row 5: column 'text' is empty"),
        ({"text": "x", "label": None}, "row 5: column 'label' is empty"),
        ({"text": "x", "label": ""}, "row 5: column 'label' is empty"),
    ],
)
def test_an_empty_value_is_named_with_its_row(tmp_path: Path, row: dict[str, Any], words: str) -> None:
    error = refused(tmp_path, [*toy_rows(4), row])
    assert (error.what, error.where) == (words, str(tmp_path / "train.jsonl"))


def test_a_column_of_another_kind_is_named(tmp_path: Path) -> None:
    numbers = [{"text": number, "label": number} for number in range(3)]
    assert "column 'text' holds int, not text" in refused(tmp_path / "1", numbers).what
    lists = [{"text": "x", "label": ["a", "b"]} for _ in range(3)]
    error = refused(tmp_path / "2", lists)
    assert (error.what, "multi-label" in error.hint) == (
        "row 1: column 'label' holds list, not one label\nrow 2: column 'label' holds list, not one label\n"
        "row 3: column 'label' holds list, not one label",
        True,
    )


def test_one_label_is_too_few(tmp_path: Path) -> None:
    error = refused(tmp_path, [{"text": "x", "label": 3}, {"text": "y", "label": 3}])
    assert error.what == "every row has the label '3'"
    assert "at least two" in error.hint


def test_labels_txt_names_the_numbers(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("bad\ngood\n", encoding="utf-8")
    numbered = [{"text": f"{n}", "label": n % 2} for n in range(4)]
    data = prepared(tmp_path, numbered, [{"text": "x", "label": "good"}, {"text": "y", "label": 0}])
    assert data.task.learned["labels"] == ["bad", "good"]
    assert [[each.gold for each in part] for part in (data.train, data.validation)] == [[0, 1, 0, 1], [1, 0]]
    assert "labels.txt beside the data names the labels" in data.notes


def test_labels_txt_that_does_not_fit_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("only one\n", encoding="utf-8")
    data = prepared(tmp_path, [{"text": "x", "label": 0}, {"text": "y", "label": 1}], [{"text": "z", "label": 1}])
    assert data.task.learned["labels"] == ["0", "1"]
    assert "labels.txt beside the data does not fit the labels and is not used" in data.notes


def test_without_a_validation_file_a_share_is_set_aside(tmp_path: Path) -> None:
    data = prepared(tmp_path, toy_rows(40), validation_share=0.25)
    assert (len(data.train), len(data.validation)) == (30, 10)
    assert texts_of(data.train) | texts_of(data.validation) == {row["text"] for row in toy_rows(40)}
    assert "10 of 40 rows are set aside for evaluation" in data.notes


def test_fewer_rows_leave_the_evaluation_set_as_it_is(tmp_path: Path) -> None:
    all_rows, few = prepared(tmp_path, toy_rows(40)), prepared(tmp_path, toy_rows(40), rows=5)
    assert len(few.train) == 5
    assert texts_of(few.train) <= texts_of(all_rows.train)
    assert few.validation == all_rows.validation
    assert few.eval_set == all_rows.eval_set
    asked = prepared(tmp_path, toy_rows(40), rows=500)
    assert "data.rows asks for 500, there are 36" in asked.notes


def test_an_evaluation_set_is_named_by_its_content(tmp_path: Path) -> None:
    names = [
        prepared(tmp_path / str(n), toy_rows(8), validation).eval_set
        for n, validation in enumerate((toy_rows(4), toy_rows(4), toy_rows(6), list(reversed(toy_rows(4)))))
    ]
    assert names[0] == names[1]
    assert len(set(names)) == 3


def test_texts_that_stand_in_both_sets_are_told(tmp_path: Path) -> None:
    found = {finding.code: finding for finding in doubts(prepared(tmp_path, toy_rows(10), toy_rows(4)))}
    assert found["overlap"].rows == (1, 2, 3, 4)
    assert found["overlap"].where == str(tmp_path / "validation.jsonl")


def test_a_lone_row_cannot_be_split(tmp_path: Path) -> None:
    with pytest.raises(WorkbenchError):
        prepared(tmp_path, [{"text": "x", "label": 1}])


def of_source(tmp_path: Path, source: str) -> Prepared:
    made = parse({"task": "sentiment", "data": source, "backbone": "size:tiny", "strategy": "full"})
    return prepare(made, tmp_path / "cache")


def test_a_folder_gives_its_own_evaluation_rows(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "train.jsonl", toy_rows(8))
    write_jsonl(tmp_path / "dev.jsonl", toy_rows(12)[8:])
    (tmp_path / "labels.txt").write_text("bad\ngood\n", encoding="utf-8")
    data = of_source(tmp_path, str(tmp_path))
    assert (len(data.train), len(data.validation)) == (8, 4)
    assert data.notes == ["labels.txt beside the data names the labels"]
    assert (data.types, data.encoding) == ({"text": "text", "label": "text"}, "UTF-8")


def test_the_only_text_is_taken_and_told(tmp_path: Path) -> None:
    rows = [{"n": number, "body": row["text"], "label": row["label"]} for number, row in enumerate(toy_rows(12))]
    data = prepared(tmp_path, rows[:8], rows[8:])
    assert data.notes == ["text is taken from column 'body': the only text column left"]
    assert data.chosen == {"text": "body", "label": "label"}


def test_evaluation_reads_the_columns_of_training(tmp_path: Path) -> None:
    train = [{"body": row["text"], "label": row["label"]} for row in toy_rows(8)]
    held_out = [{"title": "a title", **row} for row in train[:3]]
    assert texts_of(prepared(tmp_path, train, held_out).validation) == {row["body"] for row in train[:3]}
    paired = [{"sentence1": row["text"], "sentence2": "so", "label": row["label"]} for row in toy_rows(8)]
    alone = [{"sentence1": row["sentence1"], "label": row["label"]} for row in paired]
    assert "no column for the pair that training has" in refused(tmp_path / "2", paired, alone).what


def test_a_column_brings_the_names_of_its_labels(tmp_path: Path) -> None:
    import datasets

    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["bad", "good"])}
    )
    datasets.Dataset.from_list(toy_rows(20), features=features).to_parquet(tmp_path / "train.parquet")
    data = of_source(tmp_path, str(tmp_path / "train.parquet"))
    assert data.task.learned["labels"] == ["bad", "good"]
    assert "column 'label' names the labels" in data.notes
    (tmp_path / "labels.txt").write_text("poor\nfine\n", encoding="utf-8")
    assert of_source(tmp_path, str(tmp_path / "train.parquet")).task.learned["labels"] == ["poor", "fine"]


def test_a_labels_file_where_the_process_runs_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "labels.txt").write_text("a\nb\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert not any("labels.txt" in note for note in of_source(tmp_path, "starter:sentiment").notes)
