"""Comparisons in words."""

import csv
import io
from dataclasses import replace

import pytest

from store.connection import Store
from tests.insight.adding import add_run
from workbench.insight.compare import compare
from workbench.insight.paired import Paired
from workbench.insight.words import as_csv, as_text, metric_words, p_words, paired_words

HOSTILE = "=cmd [/red] \x1b]0;x\x07"


@pytest.mark.parametrize(
    ("name", "words"), [("eval/macro_f1", "macro f1"), ("eval/loss", "eval loss"), ("train/loss", "train loss")]
)
def test_metrics_are_called_as_people_do(name: str, words: str) -> None:
    assert metric_words(name) == words


@pytest.mark.parametrize(("p", "words"), [(0.0, "< 0.001"), (0.0391, "0.039"), (0.154, "0.15"), (1.0, "1.00")])
def test_a_p_value_is_never_nought(p: float, words: str) -> None:
    assert p_words(p) == words


def test_the_paired_test_is_one_sentence() -> None:
    words = paired_words(Paired(872, 41, 28, 0.148), 30, 29)
    assert words == "same 872 examples: 41 right in #30 alone, 28 in #29 alone; p 0.15, may be luck"


def test_the_text_holds_results_settings_and_warnings(store: Store) -> None:
    one = add_run(store, [0.5], answers="00000000111")
    two = add_run(store, [0.9], answers="11111111110", settings={"training": {"epochs": 1.0, "dropout": 0.2}})
    text = as_text(compare(store, [one, two]))
    assert "accuracy" in text
    assert "▲ +0.400 *" in text
    assert "training.epochs" in text
    assert "training.batch_size" not in text
    assert "training.batch_size" in as_text(compare(store, [one, two]), every=True)
    assert "! #2 and #1 differ in dropout and epochs" in text


def test_csv_runs_nothing_in_a_spreadsheet(store: Store) -> None:
    one = add_run(
        store, [0.5], name=HOSTILE, settings={"data": "/a=b.csv", "task": {"name": "sentiment", "text": "=1+1"}}
    )
    comparison = compare(store, [one, add_run(store, [0.9])])
    comparison = replace(comparison, columns=tuple(replace(column, name=HOSTILE) for column in comparison.columns))
    rows = list(csv.reader(io.StringIO(as_csv(comparison))))
    assert "\x1b" not in as_csv(comparison)
    assert "\x1b" not in as_text(comparison)
    assert {len(row) for row in rows} == {3}
    assert next(row for row in rows if row[0] == "task.text")[1] == "'=1+1"
