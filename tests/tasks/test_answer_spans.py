"""Right answers in every shape that files have, and what is said of those that do not fit their context."""

from __future__ import annotations

from typing import Any

import pytest

from workbench.data.features import RowProblem
from workbench.tasks.answer_spans import answers_of

CONTEXT = "The cat saw the dog, and the dog ran to Oslo."
OSLO = {"text": ["Oslo"], "answer_start": [40]}


def found(answers: Any, **more: Any) -> Any:
    return answers_of({"context": CONTEXT, "answers": answers, **more})


@pytest.mark.parametrize(
    "answers",
    [
        OSLO,
        {**OSLO, "answer_id": ["7"]},
        {"text": ["Oslo"]},
        {"text": ["Oslo"], "answer_start": None},
        {"text": "Oslo", "answer_start": 40},
        [{"text": "Oslo", "answer_start": 40}],
        [{"text": "Oslo"}],
        ["Oslo"],
        "Oslo",
    ],
)
def test_an_answer_is_read_in_each_shape(answers: Any) -> None:
    assert found(answers) == OSLO


def test_several_answers_stay_in_their_order() -> None:
    both = {"text": ["the dog", "dog"], "answer_start": [25, 16]}
    assert found(both) == both
    assert found([{"text": "the dog", "answer_start": 25}, {"text": "dog", "answer_start": 16}]) == both


@pytest.mark.parametrize("start", [29, "29", 29.0])
def test_a_text_takes_its_place_from_a_column(start: Any) -> None:
    assert found("dog", answer_start=start) == {"text": ["dog"], "answer_start": [29]}


@pytest.mark.parametrize("answers", [{"text": [], "answer_start": []}, {"text": []}, []])
def test_empty_lists_say_that_there_is_no_answer(answers: Any) -> None:
    assert found(answers) == {"text": [], "answer_start": []}


@pytest.mark.parametrize("row", [{}, {"answers": None}, {"answers": ""}])
def test_a_row_that_does_not_say_has_no_gold(row: dict[str, Any]) -> None:
    assert answers_of({"context": CONTEXT, **row}) is None


@pytest.mark.parametrize(
    ("answers", "what", "hint"),
    [
        ({"text": "Oslo", "answer_start": 39}, "'Oslo' at character 39, where the context has ' Osl'", "character 40"),
        ({"text": ["dog"], "answer_start": [0]}, "'dog' at character 0, where the context has 'The'", "Give the place"),
        ({"text": ["Rome"], "answer_start": [41]}, "where the context has 'slo.'", "Give the place"),
        ({"text": ["Rome"], "answer_start": [999]}, "where the context has no more text", "Give the place"),
        ("dog", "'dog', which stands 2 times in the context", "answer_start"),
        (["Rome"], "'Rome', which does not stand in the context", "answer_start"),
        ({"text": ["a" * 99]}, f"'{'a' * 60}…', which does not", ""),
        ({"text": ["Oslo"], "answer_start": [-1]}, "'-1' as a place", "count from 0"),
        ({"text": ["Oslo"], "answer_start": ["x"]}, "'x' as a place", "count from 0"),
        ({"text": ["Oslo"], "answer_start": [40.5]}, "'40.5' as a place", "count from 0"),
        ({"text": ["Oslo"], "answer_start": [1, 2]}, "of different lengths", ""),
        ({"text": [""], "answer_start": [0]}, "an answer without text", "an empty list"),
        ({"text": [None], "answer_start": [0]}, "an answer that is NoneType, not text", ""),
        ({"words": ["Oslo"]}, 'a table without "text"', ""),
        ([7], "an answer that is int, not text", ""),
        (7, "int, not answers", ""),
    ],
)  # fmt: skip
def test_an_answer_that_does_not_fit_is_told(answers: Any, what: str, hint: str) -> None:
    with pytest.raises(RowProblem) as problem:
        found(answers)
    assert what in problem.value.what
    assert hint in problem.value.hint
    assert problem.value.role == "answers"
