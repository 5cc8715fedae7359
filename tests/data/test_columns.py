"""Columns are named by the recipe, found by their usual name, or guessed where nothing else is left."""

from __future__ import annotations

import pytest

from workbench.catalog import TASKS
from workbench.data.columns import choose_columns, guesses_in
from workbench.data.types import kind_of_words
from workbench.errors import WorkbenchError
from workbench.parts import Role

ROLES = TASKS["sentiment"].roles
PAIRED = {"source": Role(("source", "en")), "target": Role(("target", "de"))}
TAGGED = {"tokens": Role(("tokens",), kind="list"), "tags": Role(("tags",), kind="list", asked=False)}


def choose(
    columns: list[str], text: str | None = None, label: str | None = None, types: dict[str, str] | None = None
) -> dict[str, str]:
    return choose_columns(ROLES, {"text": text, "label": label}, columns, "file.csv", types)


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


def test_a_usual_name_may_stand_behind_a_dot() -> None:
    columns = ["id", "translation.de", "translation.en"]
    assert choose_columns(PAIRED, {}, columns, "x") == {"source": "translation.en", "target": "translation.de"}
    assert choose(["row.text", "sentence", "label"])["text"] == "sentence"
    with pytest.raises(WorkbenchError, match="which column is the text"):
        choose(["a.text", "b.text", "label"])
    with pytest.raises(WorkbenchError, match=r"no column 'en'; did you mean .translation\.en"):
        choose_columns(PAIRED, {"source": "en"}, columns, "x")


def test_the_only_column_of_a_kind_is_taken_and_told() -> None:
    types = {"n": "whole number", "body": "text", "label": "text"}
    chosen = choose(list(types), types=types)
    assert chosen == {"text": "body", "label": "label"}
    assert guesses_in(ROLES, {}, chosen) == ["text is taken from column 'body': the only text column left"]
    assert guesses_in(ROLES, {"text": "body"}, chosen) == []
    assert guesses_in(ROLES, {}, {"text": "text", "label": "row.label"}) == []


@pytest.mark.parametrize(
    "types",
    [
        {"body": "text", "more": "text", "label": "text"},
        {"body": "whole number, as text", "label": "text"},
        {"body": "text or whole number", "label": "text"},
        {"body": "list of text", "label": "text"},
        {"label": "text"},
        {"column1": "text", "column2": "whole number, as text"},  # no label
    ],
)
def test_nothing_is_guessed_where_it_is_not_sure(types: dict[str, str]) -> None:
    with pytest.raises(WorkbenchError, match="cannot tell which column"):
        choose(list(types), types=types)


def test_one_column_is_not_taken_twice() -> None:
    with pytest.raises(WorkbenchError, match="cannot tell which column is the tags"):
        choose_columns(TAGGED, {}, ["words"], "x", {"words": "list of text"})
    both = {"words": "list of text", "tags": "list of whole numbers"}
    assert choose_columns(TAGGED, {}, list(both), "x", both) == {"tokens": "words", "tags": "tags"}


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("text", "text"), ("whole number", "number"), ("number, as text", "number"), ("list of text", "list"),
        ("list", "list"), ("answers", "answers"), ("object", ""), ("yes/no", ""), ("text or number", ""), ("", ""),
    ],
)  # fmt: skip
def test_words_have_kinds(words: str, kind: str) -> None:
    assert kind_of_words(words) == kind
