"""Question answering: the loss is transformers' own, an answer is the best span, and no answer by SQuAD's rule."""

from __future__ import annotations

import itertools
import math
import random
from array import array
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tests.making import BAD, GOOD, TWO_SIDED, tiny_model, tiny_tokenizer
from workbench.abilities import why_unable
from workbench.data.features import Example, Feature, RowProblem
from workbench.data.prepare import prepare
from workbench.errors import WorkbenchError
from workbench.inference.scoring import answers_to
from workbench.recipe import Recipe, parse
from workbench.tasks import TASKS
from workbench.tasks.answer import Answer
from workbench.tasks.passages import Window
from workbench.tasks.question_answering import SPANS, QuestionAnswering, Read, best_spans

if TYPE_CHECKING:
    from transformers import PreTrainedModel

AUTO = "AutoModelForQuestionAnswering"
KINDS = (
    *("bert", "distilbert", "roberta", "deberta-v2", "modernbert", "electra", "mpnet", "albert"),
    *("gpt2", "llama", "qwen2", "t5", "bart"),
)
LIMIT = 48
CONTEXT = "one two  three"
WORDS = ((0, 3), (4, 7), (9, 14))


def task_of(unanswerable: bool = True, **options: Any) -> QuestionAnswering:
    return QuestionAnswering(QuestionAnswering.Options(stride=8, **options), {"unanswerable": unanswerable})


def rows(count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Return rows whose contexts take one window or several; each fourth has no answer."""
    chance, made = random.Random(seed), []
    for number in range(count):
        context = " ".join(chance.choices((*GOOD, *BAD), k=chance.randint(1, 6)))
        words = context.split()
        first = chance.randrange(len(words))
        start = len(" ".join(words[:first])) + (first > 0)
        text = " ".join(words[first : first + chance.randint(1, 3)])
        answers = {"text": [text], "answer_start": [start]} if number % 4 else {"text": [], "answer_start": []}
        made.append({"question": chance.choice(GOOD), "context": context, "answers": answers})
    return made


def examples(task: QuestionAnswering, made: list[dict[str, Any]]) -> list[Example]:
    return [task.example(row) for row in made]


# rows


def test_whether_there_may_be_no_answer_is_learned_of_the_rows() -> None:
    made = rows(8)
    assert QuestionAnswering.learn(QuestionAnswering.Options(), made, []).learned == {"unanswerable": True}
    answered = [row for row in made if row["answers"]["text"]]
    learned = QuestionAnswering.learn(QuestionAnswering.Options(), answered, [])
    assert learned.learned == {"unanswerable": False}
    assert (learned.threshold, task_of().threshold, task_of(False, threshold=-2).threshold) == (None, 0.0, -2.0)
    again = TASKS["question-answering"].from_description(learned.describe())
    assert again.describe() == learned.describe()
    with pytest.raises(WorkbenchError, match="no question has an answer"):
        QuestionAnswering.learn(QuestionAnswering.Options(), [made[0], {"answers": None}, {"answers": 7}], [])


def test_a_row_is_an_example_with_its_right_answers() -> None:
    task = task_of()
    row = {
        "question": "what?",
        "context": CONTEXT,
        "answers": {"text": ["two", "two", "one"], "answer_start": [4, 4, 0]},
    }
    example = task.example(row)
    assert example == Example({"question": "what?", "context": CONTEXT}, row["answers"])
    assert task.gold_words(example) == "two | one"
    assert task.gold_words(task.example({**row, "answers": []})) == "no answer"
    assert task.gold_words(task.example({"question": "what?", "context": CONTEXT})) is None
    for role in ("question", "context"):
        with pytest.raises(RowProblem, match="holds int, not text") as problem:
            task.example({**row, role: 3})
        assert problem.value.role == role


TABLE = """question,passage,answer,answer_start
which?,one two two,two,8
which?,one two three,three,
"""


def recipe_of(rows: Path) -> Recipe:
    data = {"train": str(rows), "validation": str(rows)}
    return parse({"task": "question-answering", "data": data, "backbone": "size:tiny", "strategy": "scratch"})


def test_a_table_of_texts_is_read(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(TABLE, encoding="utf-8")
    prepared = prepare(recipe_of(tmp_path / "rows.csv"), tmp_path / "cache")
    assert prepared.chosen == {role: "passage" if role == "context" else role for role in prepared.chosen} | {
        "answers": "answer"
    }
    assert [example.gold for example in prepared.train] == [
        {"text": ["two"], "answer_start": [8]},
        {"text": ["three"], "answer_start": [8]},
    ]
    assert recipe_of(tmp_path).training.max_length == 384


def test_a_row_that_does_not_fit_is_named(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(f"{TABLE}which?,one,two,\n,one,one,\nwhich?,one,,\n", encoding="utf-8")
    with pytest.raises(WorkbenchError) as refusal:
        prepare(recipe_of(tmp_path / "rows.csv"), tmp_path / "cache")
    assert refusal.value.what.splitlines() == [
        "row 3: column 'answer' holds 'two', which does not stand in the context",
        "row 4: column 'question' is empty",
        "row 5: column 'answer' is empty",
    ]


@pytest.mark.parametrize("kind", ["bert", "roberta", "gpt2"])
def test_labels_are_the_tokens_of_the_answer_or_the_null_token(kind: str) -> None:
    task, tokenizer = task_of(), tiny_tokenizer(types=kind in TWO_SIDED)
    made = examples(task, rows(40))
    features = task.encode(tokenizer, made, LIMIT)
    assert {feature.example for feature in features} == set(range(40))
    held = set()
    for feature in features:
        window, gold = feature.info["window"], made[feature.example].gold
        assert isinstance(feature.labels, list)
        if feature.labels != [window.null, window.null]:
            first, last = (label - window.first for label in feature.labels)
            context = made[feature.example].fields["context"]
            assert context[window.starts[first] : window.ends[last]].strip() == gold["text"][0]
            held.add(feature.example)
    assert held == {number for number, example in enumerate(made) if example.gold["text"]}


# loss


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_is_transformers_own(kind: str) -> None:
    import torch

    task, tokenizer, model = task_of(), tiny_tokenizer(types=kind in TWO_SIDED), tiny_model(kind, auto=AUTO).eval()
    features = task.encode(tokenizer, examples(task, rows(12)), LIMIT)
    expected = 0.0
    with torch.inference_mode():
        for feature in features:
            batch = task.collate([feature], tokenizer)
            labels = batch.pop("labels")
            batch.pop("places")
            expected += float(model(**batch, start_positions=labels[:, 0], end_positions=labels[:, 1]).loss)
        total = float(task.loss(model, task.collate(features, tokenizer), 0.0))
    assert math.isclose(total, expected, rel_tol=1e-5)
    told = answers_to(task, model, tokenizer, examples(task, rows(12)), features, LIMIT)
    windows = [sum(feature.example == number for feature in features) for number in range(12)]
    losses = [answer.loss for answer in told if answer.loss is not None]
    by_window = math.fsum(loss * count for loss, count in zip(losses, windows, strict=True))
    assert math.isclose(by_window, expected, rel_tol=1e-5)


def test_smoothing_spreads_over_the_tokens_that_are_no_filling() -> None:
    import torch

    chance = random.Random(4)
    logits = [[[chance.gauss(0, 3) for _ in range(6)] for _ in range(3)] for _ in range(2)]
    lengths, labels = [6, 4, 1], [[2, 5], [0, 3], [0, 0]]
    said = SimpleNamespace(start_logits=torch.tensor(logits[0]), end_logits=torch.tensor(logits[1]))
    real = torch.tensor([[int(place < length) for place in range(6)] for length in lengths])
    batch = {"labels": torch.tensor(labels), "attention_mask": real, "places": torch.zeros(3, 3)}
    by_hand = 0.0
    for side, row in itertools.product(range(2), range(3)):
        powers = [math.exp(value) for value in logits[side][row][: lengths[row]]]
        logs = [math.log(power / sum(powers)) for power in powers]
        by_hand -= (0.9 * logs[labels[row][side]] + 0.1 * sum(logs) / len(logs)) / 2
    total = task_of().loss(lambda **_: said, batch, 0.1)  # type: ignore[arg-type]
    assert math.isclose(float(total), by_hand, rel_tol=1e-5)


# answers


@given(some.integers(0, 40), some.integers(1, 12), some.integers(0, 10**6))
def test_the_best_spans_are_those_of_trying_all(tokens: int, longest: int, seed: int) -> None:
    chance = random.Random(seed)
    starts, ends = ([chance.choice((chance.gauss(0, 2), 1.0)) for _ in range(tokens)] for _ in range(2))
    spans = [
        (starts[first] + ends[last], first, last)
        for first in range(tokens)
        for last in range(first, min(tokens, first + longest))
    ]
    expected = sorted(spans, key=lambda span: (-span[0], span[1], span[2]))[:SPANS]
    assert best_spans(starts, ends, longest) == expected


def window(first_word: int = 0, last_word: int = 2) -> Window:
    words = WORDS[first_word : last_word + 1]
    starts, ends = (array("i", [word[side] for word in words]) for side in range(2))
    return Window([1] * 9, None, 3, starts, ends, 0, 0)


def told(task: QuestionAnswering, *reads: tuple[Window, Read], gold: list[str] | None = None) -> Answer:
    right = None if gold is None else {"text": gold, "answer_start": [0] * len(gold)}
    example = Example({"question": "which?", "context": CONTEXT}, right)
    return task.answer(example, [(Feature(0, [1], info={"window": seen}), read) for seen, read in reads])


def test_an_answer_is_the_best_span_of_all_windows() -> None:
    one = window(0, 1), Read([(2.0, 1, 1), (1.0, 0, 1)], 0.5, 3.0)
    other = window(1, 2), Read([(4.0, 1, 1), (3.0, 0, 1), (1.5, 0, 0)], -1.0, 2.0)
    answer = told(task_of(), one, other, gold=["the three"])
    scores = {"three": 4.0, "two  three": 3.0, "two": 2.0, "one two": 1.0}
    total = sum(math.exp(score) for score in [*scores.values(), -1.0])
    assert [each["text"] for each in answer.output["candidates"]] == list(scores)
    assert [each["score"] for each in answer.output["candidates"]] == pytest.approx(
        [math.exp(score) / total for score in scores.values()], rel=1e-12
    )
    assert all(CONTEXT[each["start"] : each["end"]] == each["text"] for each in answer.output["candidates"])
    assert answer.output["no_answer"] == pytest.approx(math.exp(-1.0) / total, rel=1e-12)
    assert (answer.output["answer"], answer.output["start"], answer.output["end"]) == ("three", 9, 14)
    assert (answer.pred, answer.loss, answer.correct) == ("three", 2.5, True)
    assert answer.score == answer.output["candidates"][0]["score"]


def test_no_answer_is_said_where_it_leads_by_more_than_the_threshold() -> None:
    read = window(), Read([(2.0, 0, 0), (1.0, 2, 2)], 3.0, None)
    assert [told(task_of(threshold=lead), read).pred for lead in (0.5, 1.0, 1.5)] == ["no answer", "one", "one"]
    assert told(task_of(), read).pred == "no answer"
    refused = told(task_of(), read, (window(), Read([(2.0, 0, 0)], 2.5, None)))
    total = math.exp(2) + math.exp(1) + math.exp(2.5)
    assert (refused.output["answer"], refused.output["start"], refused.output["end"]) == ("", 0, 0)
    assert refused.score == refused.output["no_answer"] == pytest.approx(math.exp(2.5) / total, rel=1e-12)
    assert [each["text"] for each in refused.output["candidates"]] == ["one", "three"]
    never = told(task_of(False), read)
    assert (never.pred, never.output["no_answer"]) == ("one", 0.0)
    assert never.score == pytest.approx(math.exp(2) / (math.exp(2) + math.exp(1)), rel=1e-12)


def test_a_question_without_an_answer_is_right_where_none_is_given() -> None:
    refusing = window(), Read([(2.0, 0, 0)], 3.0, 1.0)
    assert [told(task_of(), refusing, gold=gold).correct for gold in ([], ["one"])] == [True, False]
    answering = window(), Read([(2.0, 0, 0)], 1.0, 1.0)
    assert [told(task_of(), answering, gold=gold).correct for gold in ([], ["one"])] == [False, True]
    for task in (task_of(), task_of(False)):
        empty = told(task, (window(), Read([], 1.0, None)))
        assert (empty.pred, empty.score, empty.output["candidates"]) == ("no answer", 1.0, [])


def test_logits_that_are_not_numbers_have_no_loss_that_is_one() -> None:
    import torch

    tokenizer, task = tiny_tokenizer(), task_of()
    made = examples(task, rows(2))
    features = task.encode(tokenizer, made, LIMIT)
    for bad in (math.nan, math.inf):
        broken = tiny_model("bert", auto=AUTO)
        with torch.no_grad():
            broken.get_parameter("qa_outputs.bias").fill_(bad)
        answers = answers_to(task, broken, tokenizer, made, features, LIMIT)
        assert all(each.loss is not None and math.isnan(each.loss) for each in answers)


def test_metrics_are_the_means_of_squads_measures_in_percent() -> None:
    task = task_of()
    reads = [Read([(2.0, 0, 0)], 0.0, 1.0), Read([(2.0, 0, 1)], 0.0, 2.0), Read([(0.0, 0, 0)], 1.0, 6.0)]
    golds = [["One!"], ["two"], []]
    answers = [told(task, (window(), read), gold=gold) for read, gold in zip(reads, golds, strict=True)]
    made = [Example({}, {"text": gold}) for gold in golds]
    found = task.metrics(answers, made)
    assert found.keys() == set(task.card.metrics)
    assert found == pytest.approx({"loss": 3.0, "exact_match": 200 / 3, "f1": (1 + 2 / 3 + 1) * 100 / 3}, abs=1e-9)


# models


@pytest.mark.parametrize("kind", KINDS)
def test_alone_or_in_company_with_or_without_gold_an_answer_is_the_same(kind: str) -> None:
    task, tokenizer, model = task_of(), tiny_tokenizer(types=kind in TWO_SIDED), tiny_model(kind, auto=AUTO)
    made = examples(task, rows(14, seed=3))
    together = answers_to(task, model, tokenizer, made, task.questions(tokenizer, made, LIMIT), LIMIT)
    assert len({answer.pred for answer in together}) > 1
    for example, answer in zip(made, together, strict=True):
        (alone,) = answers_to(task, model, tokenizer, [example], task.questions(tokenizer, [example], LIMIT), LIMIT)
        assert alone == answer
        unknown = [Example(example.fields)]
        (asked,) = answers_to(task, model, tokenizer, unknown, task.questions(tokenizer, unknown, LIMIT), LIMIT)
        assert (asked.output, asked.pred, asked.score) == (answer.output, answer.pred, answer.score)
        assert (asked.loss, asked.correct) == (None, None)


@pytest.mark.parametrize("kind", ["bert", "roberta", "gpt2", "t5"])
def test_a_window_says_what_the_plain_model_says(kind: str) -> None:
    import torch

    task, tokenizer, model = (
        task_of(longest_answer=7),
        tiny_tokenizer(types=kind in TWO_SIDED),
        tiny_model(kind, auto=AUTO),
    )
    made = examples(task, rows(6, seed=7))
    questions = task.questions(tokenizer, made, 64)
    answers = answers_to(task, model, tokenizer, made, questions, 64)
    for example, answer in zip(made, answers, strict=True):
        best, null = -math.inf, math.inf
        for feature in (each for each in questions if made[each.example] is example):
            starts, ends = plain_logits(model.eval(), feature)
            seen = feature.info["window"]
            null = min(null, starts[seen.null] + ends[seen.null])
            tokens = range(seen.first, seen.first + len(seen.starts))
            sums = {starts[one] + ends[two] for one in tokens for two in tokens if one <= two < one + 7}
            best = max(best, *sums)
        assert torch.isfinite(torch.tensor(best))
        ratio = answer.output["candidates"][0]["score"] / answer.output["no_answer"]
        assert math.log(ratio) == pytest.approx(best - null, abs=1e-5)
        assert (answer.pred == "no answer") is (null > best)


def plain_logits(model: PreTrainedModel, feature: Feature) -> tuple[list[float], list[float]]:
    import torch

    types = {} if feature.types is None else {"token_type_ids": torch.tensor([feature.types])}
    with torch.inference_mode():
        said = model(input_ids=torch.tensor([feature.ids]), **types)
    return said.start_logits[0].tolist(), said.end_logits[0].tolist()


def test_every_architecture_with_the_head_is_tried() -> None:
    from tests.making import ARCHITECTURES

    assert set(KINDS) == {kind for kind in ARCHITECTURES if not why_unable(AUTO, kind)}


def test_a_backbone_with_another_head_gets_two_outputs(tmp_path: Path) -> None:
    from transformers import AutoConfig

    tiny_model("bert", labels=5).save_pretrained(tmp_path)
    config = AutoConfig.from_pretrained(tmp_path)
    task_of().configure(config, tiny_tokenizer())
    model, info = task_of().load(tmp_path, config=config)
    assert model.get_parameter("qa_outputs.weight").shape[0] == 2
    assert set(info["missing_keys"]) == {"qa_outputs.weight", "qa_outputs.bias"}


@pytest.mark.parametrize("kind", ["llama", "qwen2", "gpt2", "bart"])
def test_the_weights_of_a_model_that_writes_are_those_of_the_backbone(kind: str, tmp_path: Path) -> None:
    import torch
    import transformers

    writes = "AutoModelForSeq2SeqLM" if kind == "bart" else "AutoModelForCausalLM"
    body = tiny_model(kind, auto=writes).base_model
    body.save_pretrained(tmp_path / "body")
    tiny_model(kind, auto=writes).save_pretrained(tmp_path / "writer")
    for folder in ("body", "writer"):
        model, info = task_of().load(tmp_path / folder)
        assert set(info["missing_keys"]) == {"qa_outputs.weight", "qa_outputs.bias"}
        found = model.base_model.state_dict()
        assert all(torch.equal(found[name], value) for name, value in body.state_dict().items())
        task_of().save(model, tiny_tokenizer(), tmp_path / f"{folder}-saved")
        again = getattr(transformers, AUTO).from_pretrained(tmp_path / f"{folder}-saved").state_dict()
        assert all(torch.equal(again[name], value) for name, value in model.state_dict().items())
