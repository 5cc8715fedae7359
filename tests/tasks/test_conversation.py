"""A conversation as tokens: only answers are learned, what is asked is the same whether the answer is there or not."""

from __future__ import annotations

from typing import Any

import pytest

from tests.making import tiny_tokenizer
from tests.shared import STORIES
from tests.tasks.decoders import (
    CHATML,
    ROWS,
    TALK,
    bare_tokenizer,
    bert_like_tokenizer,
    chat_tokenizer,
    instructions,
    learned_text,
)
from workbench.data.columns import choose_columns
from workbench.data.features import IGNORED, RowProblem
from workbench.errors import WorkbenchError
from workbench.tasks.conversation import rows_of
from workbench.tasks.instructions import ROLES, Instructions
from workbench.training.model import load_tokenizer

TOKENIZERS = {"[CLS] … [SEP]": bert_like_tokenizer, "nothing added": bare_tokenizer}
LONG = 200


@pytest.mark.parametrize("made", TOKENIZERS)
def test_only_the_answer_and_its_end_are_learned(made: str) -> None:
    task, tokenizer = instructions(), TOKENIZERS[made]()
    features = task.encode(tokenizer, [task.example(row) for row in ROWS], LONG)
    start = "[CLS]" if made.startswith("[CLS]") else ""
    for feature, row in zip(features, ROWS, strict=True):
        assert learned_text(tokenizer, feature) == f" {row['response']}[SEP]"
        told = tokenizer.decode(feature.ids)
        assert told.startswith(f"{start} ### Instruction:\n{row['instruction']}\n\n")
        assert str(row.get("input") or "") in told
        assert told.count("[SEP]") == 1
        assert told.endswith(f"### Response:\n {row['response']}[SEP]")
        assert feature.items == sum(label != IGNORED for label in feature.labels)


def test_all_answers_of_a_conversation_are_learned() -> None:
    task, tokenizer = instructions(), bare_tokenizer()
    (feature,) = task.encode(tokenizer, [task.example({"messages": TALK})], LONG)
    assert learned_text(tokenizer, feature) == " so good[SEP] bad[SEP]"
    assert tokenizer.decode(feature.ids).startswith(
        " ### System:\nBe kind.\n\n### Instruction:\ngood?\n\n### Response:"
    )


def test_a_chat_template_writes_what_it_writes_elsewhere() -> None:
    task, tokenizer = instructions(), chat_tokenizer()
    (feature,) = task.encode(tokenizer, [task.example({"messages": TALK})], LONG)
    assert learned_text(tokenizer, feature) == " so good<|im_end|> bad<|im_end|>"
    whole = tokenizer.apply_chat_template(TALK, tokenize=False)
    assert tokenizer.decode(feature.ids).replace(" ", "") == whole.rstrip().replace(" ", "")
    asked, judged = task.questions(tokenizer, [task.example({"messages": TALK})], LONG)
    prompt = tokenizer.apply_chat_template(TALK[:-1], tokenize=False, add_generation_prompt=True)
    assert tokenizer.decode(asked.ids).replace(" ", "") == prompt.replace(" ", "")
    assert judged.ids[: len(asked.ids)] == asked.ids
    ends = task.collate([asked], tokenizer)["ends"].tolist()
    assert tokenizer.convert_ids_to_tokens(ends) == ["<|im_end|>", "[SEP]"]


def test_a_plain_template_is_taken_where_it_is_asked_for() -> None:
    task, tokenizer = instructions(template="plain"), chat_tokenizer()
    (feature,) = task.encode(tokenizer, [task.example(ROWS[0])], LONG)
    assert "### Response" in tokenizer.decode(feature.ids)
    assert learned_text(tokenizer, feature) == " so good[SEP]"


@pytest.mark.parametrize(
    ("template", "learned"),
    [
        (CHATML.replace("{{ each.content", "{% if not loop.last %}old {% endif %}{{ each.content"), " bad<|im_end|>"),
        (CHATML.replace("assistant\n{% endif %}", "assistant\n<think>{% endif %}"), " bad<|im_end|>"),
        (
            "{{ '[CLS]' }}{% for each in messages %}{{ each.role }}: {{ each.content }}\n{% endfor %}"
            "{% if add_generation_prompt %}assistant: {% endif %}",
            " so good[SEP] bad[SEP]",
        ),
    ],
    ids=["earlier turns written otherwise", "an answer opened otherwise", "no token ends a turn"],
)
def test_templates_that_are_not_like_most(template: str, learned: str) -> None:
    task, tokenizer = instructions(), chat_tokenizer(template)
    (feature,) = task.encode(tokenizer, [task.example({"messages": TALK})], LONG)
    asked, judged = task.questions(tokenizer, [task.example({"messages": TALK})], LONG)
    assert learned_text(tokenizer, feature) == learned
    assert feature.ids[: len(asked.ids)] == asked.ids == judged.ids[: len(asked.ids)]


def test_a_template_that_refuses_says_so() -> None:
    task, tokenizer = instructions(), chat_tokenizer("{{ raise_exception('no system turns') }}")
    with pytest.raises(WorkbenchError, match="cannot write a conversation: no system turns"):
        task.encode(tokenizer, [task.example({"messages": TALK})], LONG)


@pytest.mark.shared
@pytest.mark.skipif(not STORIES.exists(), reason="no development weights")
def test_a_real_tokenizer_that_pads_with_its_end_token_learns_the_end_of_answers() -> None:
    task, tokenizer = instructions(), load_tokenizer(STORIES)
    features = task.encode(tokenizer, [task.example(row) for row in [*ROWS, {"messages": TALK}]], LONG)
    batch = task.collate(features, tokenizer)
    for feature, labels, response in zip(
        features, batch["labels"].tolist(), [*(row["response"] for row in ROWS), "so good</s>bad"], strict=True
    ):
        assert feature.ids[0] == tokenizer.bos_token_id
        assert feature.ids.count(tokenizer.bos_token_id) == 1
        learned = [label for label in labels if label != IGNORED]
        assert tokenizer.decode(learned).replace(" ", "") == f"{response}</s>".replace(" ", "")


@pytest.mark.parametrize("limit", [8, 13, 24, 40, 60])
def test_a_long_row_keeps_room_for_its_answer(limit: int) -> None:
    task, tokenizer = instructions(), bare_tokenizer()
    row = {"instruction": "so good " * 40, "response": "a bad day " * 40}
    (feature,) = task.encode(tokenizer, [task.example(row)], limit)
    asked, judged = task.questions(tokenizer, [task.example(row)], limit + 1)
    assert len(feature.ids) == limit
    assert feature.items == max(1, limit // 4)
    assert (judged.ids, judged.labels) == (feature.ids, feature.labels)
    assert feature.ids[: len(asked.ids)] == asked.ids
    assert asked.info["of"] > len(asked.ids) == limit - feature.items
    if limit >= 40:
        assert tokenizer.decode(asked.ids).endswith("### Response:\n")


@pytest.mark.parametrize(
    ("value", "turns"),
    [
        ("hello", [("user", "hello")]),
        ([{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}, {"from": "human", "value": "c"}], None),
        ([{"role": "User", "content": "a", "from": None, "value": None}], [("user", "a")]),
    ],
)
def test_what_ends_with_a_question_has_no_right_answer(value: Any, turns: list[tuple[str, str]] | None) -> None:
    example = instructions().example({"messages": value})
    expected = turns or [("user", "a"), ("assistant", "b"), ("user", "c")]
    assert [(turn["role"], turn["content"]) for turn in example.fields["messages"]] == expected
    assert example.gold is None


def test_a_question_that_stands_at_the_end_is_not_learned() -> None:
    task, tokenizer = instructions(), bare_tokenizer()
    talk = [*TALK, {"role": "user", "content": "good day"}]
    cut, whole = (task.encode(tokenizer, [task.example({"messages": turns})], LONG) for turns in (TALK, talk))
    assert (cut[0].ids, cut[0].labels) == (whole[0].ids, whole[0].labels)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"messages": []}, "is empty"),
        ({"messages": 3}, "holds no list of turns"),
        ({"messages": ["a"]}, "holds str for a turn"),
        ({"messages": [{"role": "tool", "content": "a"}]}, "has a turn of 'tool'"),
        ({"messages": [{"role": "user", "content": [1]}]}, "has a turn that holds list, not text"),
        ({"messages": [{"role": "assistant", "content": "a"}]}, "nothing that is asked"),
        ({"instruction": 3, "response": "a"}, "holds int, not text"),
        ({"instruction": "a", "input": 3, "response": "a"}, "holds int, not text"),
        ({"instruction": "a", "response": [1]}, "holds list, not text"),
    ],
)
def test_a_row_that_cannot_be_learned_from_says_why(row: dict[str, Any], words: str) -> None:
    with pytest.raises(RowProblem, match=words):
        instructions().example(row)


def test_a_conversation_without_an_answer_is_refused_before_training() -> None:
    rows = [{"messages": TALK}, {"messages": TALK[:2]}]
    with pytest.raises(WorkbenchError, match="row 2: no turn of the assistant"):
        Instructions.learn(Instructions.Options(), rows, [])


@pytest.mark.parametrize(
    ("columns", "named", "chosen"),
    [
        (["prompt", "messages"], {}, ["messages"]),
        (["prompt", "messages", "completion"], {"instruction": "prompt"}, ["prompt", "completion"]),
        (["instruction", "input", "output"], {}, ["instruction", "input", "output"]),
        (["question", "context", "answer"], {}, ["question", "context", "answer"]),
        (["conversations", "output"], {}, ["conversations"]),
    ],
)
def test_columns_of_both_layouts_are_found(columns: list[str], named: dict[str, str], chosen: list[str]) -> None:
    assert list(choose_columns(ROLES, named, columns, "file").values()) == chosen


@pytest.mark.parametrize(("columns", "role"), [(["a", "output"], "instruction"), (["query", "b"], "response")])
def test_a_column_that_is_missing_is_named(columns: list[str], role: str) -> None:
    with pytest.raises(WorkbenchError, match=f"cannot tell which column is the {role}"):
        choose_columns(ROLES, {}, columns, "file")


def test_a_template_that_writes_the_date_writes_the_same_one_each_day() -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = "{{ strftime_now('%d %B %Y') }}: {% for m in messages %}{{ m['content'] }} {% endfor %}"
    turns: list[Any] = [{"role": "user", "content": "good"}]
    (row,) = rows_of(tokenizer, [turns], True)
    assert "26 jul 2024: good" in tokenizer.decode(row.ids)
