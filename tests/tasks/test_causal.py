"""Decoders: judged as a plain computation judges, writing as a plain loop writes, whatever the company."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Any

import pytest

from tests.tasks.decoders import (
    KINDS,
    POSITIONS,
    ROWS,
    TALK,
    bare_tokenizer,
    bert_like_tokenizer,
    decoder,
    instructions,
    pretraining,
)
from workbench.data.features import IGNORED, Example, Feature
from workbench.errors import WorkbenchError
from workbench.inference.scoring import answers_to, score
from workbench.tasks.answer import Answer
from workbench.tasks.causal import WRITE, Judged, judge_row, next_token_loss, set_padding
from workbench.tasks.causal_pretraining import CausalPretraining, blocks
from workbench.tasks.task import Task

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

LIMIT = 100
TEXTS = ["a good day", "what a bad film this was", "x", "so kind and so very warm to all of us " * 9, "rude"]


def plainly_written(model: PreTrainedModel, ids: list[int], count: int, ends: list[int]) -> list[int]:
    """Return what a model writes, each token asked for from the start again, without padding and cache."""
    import torch

    written: list[int] = []
    with torch.inference_mode():
        while len(written) < count:
            logits = model(input_ids=torch.tensor([[*ids, *written]]), use_cache=False).logits[0, -1]
            token = int(logits.argmax())
            if token in ends:
                break
            written.append(token)
    return written


def plainly_judged(model: PreTrainedModel, feature: Feature) -> tuple[float, int, int]:
    """Return loss in nats, right tokens and judged tokens of a row, token by token."""
    import torch

    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([feature.ids])).logits[0].double()
    total, right, judged = 0.0, 0, 0
    for place, label in enumerate(feature.labels):
        if label != IGNORED:
            row = logits[place - 1]
            total -= float(torch.log_softmax(row, dim=-1)[label])
            right += int(int(row.argmax()) == label)
            judged += 1
    return total, right, judged


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_different_length_are_written_on_as_each_alone(kind: str) -> None:
    model, tokenizer, task = decoder(kind), bare_tokenizer(), pretraining(longest_output=20)
    features = task.questions(tokenizer, [task.example({"prompt": text}) for text in TEXTS], LIMIT)
    assert {feature.kind for feature in features} == {WRITE}
    written = score(task, model, tokenizer, features, LIMIT)
    assert len({len(feature.ids) for feature in features}) > 3
    for feature, tokens in zip(features, written, strict=True):
        assert tokens == plainly_written(model, feature.ids, 20, [3])


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_model_brings_along_does_not_change_what_it_writes(kind: str) -> None:
    import torch

    model, tokenizer, task = decoder(kind), bare_tokenizer(), pretraining(longest_output=12)
    features = task.questions(tokenizer, [task.example({"prompt": text}) for text in TEXTS], LIMIT)
    expected = score(task, model, tokenizer, features, LIMIT)
    brought = model.generation_config
    brought.update(do_sample=True, temperature=3.0, repetition_penalty=9.0, min_new_tokens=5, num_beams=2)
    before = torch.get_rng_state()
    assert score(task, model, tokenizer, features, LIMIT) == expected
    assert model.generation_config is brought
    assert torch.equal(torch.get_rng_state(), before)


def test_writing_ends_at_the_end_token_and_at_the_last_position() -> None:
    import torch

    model, tokenizer, task = decoder("gpt2"), bare_tokenizer(), pretraining(longest_output=1000)
    (feature,) = task.questions(tokenizer, [task.example({"prompt": "good " * 200})], POSITIONS)
    assert len(feature.ids) < POSITIONS - 30
    (written,) = score(task, model, tokenizer, [feature], POSITIONS)
    assert 30 < len(written) <= POSITIONS - len(feature.ids)
    with torch.no_grad():
        model.transformer.ln_f.weight.zero_()
        model.transformer.ln_f.bias.copy_(model.transformer.wte.weight[3] * 100)
    assert score(task, model, tokenizer, [feature], POSITIONS) == [[]]
    assert task.answer(Example({"prompt": "x"}), [(feature, [])]).output == {"text": "", "written": 0}


def test_who_watches_sees_the_first_row_grow_and_may_stop_it() -> None:
    model, tokenizer, task = decoder("llama"), bare_tokenizer(), pretraining(longest_output=9)
    examples = [task.example({"prompt": text}) for text in TEXTS[:2]]
    features = task.questions(tokenizer, examples, LIMIT)
    seen: list[list[int]] = []
    whole = score(task, model, tokenizer, features[:1], LIMIT, lambda tokens: bool(seen.append(tokens)))  # type: ignore[func-returns-value]
    assert [len(tokens) for tokens in seen] == list(range(1, 10))
    assert seen[-1] == whole[0]
    assert score(task, model, tokenizer, features[:1], LIMIT, lambda tokens: len(tokens) == 3) == [whole[0][:3]]


def told(
    task: Task, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: list[dict[str, Any]]
) -> list[Any]:
    examples = [task.example(row) for row in rows]
    questions = task.questions(tokenizer, examples, LIMIT)
    answers = answers_to(task, model, tokenizer, examples, questions, LIMIT)
    return [(each.pred, each.output, each.loss, each.correct, each.extra) for each in answers]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["instructions", "causal-pretraining"])
def test_alone_or_in_company_an_answer_is_the_same_to_the_last_bit(kind: str, name: str) -> None:
    model, tokenizer, chance = decoder(kind), bert_like_tokenizer(), random.Random(3)
    if name == "instructions":
        task, rows = instructions(longest_output=6), [*ROWS, {"messages": TALK}, {"messages": TALK[:2]}]
        rows += [{"instruction": "so " * length, "response": "good " * length} for length in range(1, 14)]
    else:
        task, rows = pretraining(longest_output=6), [{"text": text} for text in TEXTS]
        rows += [{"prompt": text} for text in TEXTS] + [{"text": "so " * length} for length in range(1, 14)]
    alone = [told(task, model, tokenizer, [row])[0] for row in rows]
    assert told(task, model, tokenizer, rows) == alone
    for _ in range(3):
        chosen = [chance.randrange(len(rows)) for _ in range(chance.randint(2, 30))]
        assert told(task, model, tokenizer, [rows[number] for number in chosen]) == [alone[number] for number in chosen]


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_of_full_rows_is_computed_with_a_mask_as_any_other(kind: str) -> None:
    from workbench.tasks.causal import with_padding

    model, tokenizer, task = decoder(kind), bare_tokenizer(), instructions()
    features = task.questions(tokenizer, [task.example({"instruction": "so " * 300, "response": "good " * 300})], LIMIT)
    for feature in features:
        for left in (False, True):
            batch = with_padding(model, task.collate([feature] * 2, tokenizer), left)
            assert batch["attention_mask"][:, 0 if left else -1].tolist() == [0, 0]
            assert batch["input_ids"].shape[1] % 8 == 0
            assert batch["input_ids"].shape[1] <= longest_of(model)


def longest_of(model: PreTrainedModel) -> int:
    return int(model.config.max_position_embeddings)


@pytest.mark.parametrize("seed", range(25))
def test_metrics_are_those_of_a_plain_computation(seed: int) -> None:
    import numpy
    import torch

    chance = random.Random(seed)
    drawn = numpy.random.default_rng(seed)
    task = instructions()
    answers, losses, hits = [], [], []
    tokenizer = bare_tokenizer()
    for _ in range(chance.randint(1, 12)):
        length, vocabulary = chance.randint(2, 30), chance.randint(2, 40)
        logits = drawn.normal(0, 4, (length, vocabulary)).astype(numpy.float32)
        labels = [chance.randrange(vocabulary) if chance.random() < 0.6 else IGNORED for _ in range(length)]
        labels[-1] = 0
        for place in range(1, length):
            if labels[place] != IGNORED:
                powers = numpy.exp(logits[place - 1].astype(numpy.float64))
                losses.append(-math.log(powers[labels[place]] / powers.sum()))
                hits.append(int(powers.argmax()) == labels[place])
        found = judge_row(torch.tensor(logits), torch.tensor(labels))
        said = [(Feature(0, [4], kind=WRITE, info={"tokenizer": tokenizer}), []), (Feature(0, [4], kind="loss"), found)]
        answers.append(task.answer(Example({"instruction": "x"}, "y"), said))
    mean = float(numpy.mean(losses))
    expected = {"loss": mean, "perplexity": math.exp(mean), "token_accuracy": sum(hits) / len(hits)}
    assert task.metrics(answers, []) == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert pretraining().metrics(answers, []) == task.metrics(answers, [])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["instructions", "causal-pretraining"])
def test_evaluation_gives_what_a_plain_pass_over_the_rows_gives(kind: str, name: str) -> None:
    model, tokenizer = decoder(kind), bare_tokenizer()
    if name == "instructions":
        task: Task = instructions(longest_output=2)
        examples = [task.example(row) for row in [*ROWS, {"messages": TALK}]]
    else:
        task = pretraining()
        examples = [task.example({"text": text}) for text in TEXTS]
    questions = task.questions(tokenizer, examples, LIMIT)
    answers = answers_to(task, model, tokenizer, examples, questions, LIMIT)
    plain = [plainly_judged(model, feature) for feature in questions if feature.kind != WRITE]
    total, right, judged = (sum(column) for column in zip(*plain, strict=True))
    found = task.metrics(answers, examples)
    assert found["loss"] == pytest.approx(total / judged, rel=1e-5)
    assert found["token_accuracy"] == pytest.approx(right / judged)
    assert [feature.items for feature in questions if feature.kind != WRITE] == [count for _, _, count in plain]
    assert all(answer.loss is not None for answer in answers)


def test_an_answer_is_right_where_it_is_the_right_text() -> None:
    task, tokenizer = instructions(), bare_tokenizer()
    written = tokenizer("a good day", add_special_tokens=False)["input_ids"]
    feature = Feature(0, [4], kind=WRITE, info={"tokenizer": tokenizer})
    judged = (Feature(0, [4], kind="loss"), Judged([0.5, 1.5], 1))
    for gold, correct in (("a good day", True), (" a good day\n", True), ("A good day", False)):
        answer = task.answer(Example({"instruction": "x"}, gold), [(feature, written), judged])
        assert (answer.pred, answer.loss, answer.correct) == ("a good day", 1.0, correct)
        assert answer.output == {"text": "a good day", "written": len(written)}
    unknown = task.answer(Example({"instruction": "x"}), [(feature, written)])
    assert (unknown.pred, unknown.loss, unknown.correct) == ("a good day", None, None)
    assert all(math.isnan(value) for value in task.metrics([unknown], []).values())


def test_a_loss_beyond_all_bounds_has_an_infinite_perplexity() -> None:
    answer = Answer("x", None, {}, 1e6, extra=Judged([1e6], 0))
    assert instructions().metrics([answer], [])["perplexity"] == math.inf


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_is_the_sum_over_labelled_tokens(kind: str, smoothing: float) -> None:
    import torch

    model, tokenizer, task = decoder(kind), bert_like_tokenizer(), instructions()
    features = task.encode(tokenizer, [task.example(row) for row in ROWS], LIMIT)
    by_hand = 0.0
    for feature in features:
        with torch.inference_mode():
            logs = torch.log_softmax(model(input_ids=torch.tensor([feature.ids])).logits[0].double(), dim=-1)
        for place, label in enumerate(feature.labels):
            if label != IGNORED:
                row = logs[place - 1]
                by_hand -= float((1 - smoothing) * row[label] + smoothing * row.mean())
    total = next_token_loss(model, task.collate(features, tokenizer), smoothing).item()
    assert total == pytest.approx(by_hand, rel=1e-5)


# running text


@pytest.mark.parametrize("limit", [2, 3, 7, 50])
@pytest.mark.parametrize("made", [bare_tokenizer, bert_like_tokenizer])
def test_the_blocks_tell_each_token_of_the_running_text_once(made: Any, limit: int) -> None:
    tokenizer, task = made(), pretraining()
    features = task.encode(tokenizer, [task.example({"text": text}) for text in TEXTS], limit)
    start = [] if made is bare_tokenizer else [tokenizer.cls_token_id]
    rows = [[*start, *tokenizer(text, add_special_tokens=False)["input_ids"], 3] for text in TEXTS]
    running = [token for row in rows for token in row]
    running = running if start else [3, *running]
    assert features[0].ids[0] == running[0]
    assert [token for each in features for token in each.labels if token != IGNORED] == running[1:]
    assert all(len(each.ids) == limit for each in features[:-1])
    assert all(each.labels == [IGNORED, *each.ids[1:]] and each.items == len(each.ids) - 1 for each in features)
    assert [each.example for each in features] == sorted(each.example for each in features)
    assert features[0].example == 0


def test_blocks_of_little_text() -> None:
    assert blocks([1, 2, 3, 4, 5], 3) == [(0, [1, 2, 3]), (2, [3, 4, 5])]
    assert blocks([1, 2], 8) == [(0, [1, 2])]


def test_a_row_is_judged_by_itself_from_first_token_to_end() -> None:
    tokenizer, task = bare_tokenizer(), pretraining()
    features = task.questions(tokenizer, [task.example({"text": text}) for text in TEXTS], 21)
    for number, text in enumerate(TEXTS):
        mine = [feature for feature in features if feature.example == number]
        assert mine[0].ids[0] == 3
        judged = [token for feature in mine for token in feature.labels if token != IGNORED]
        assert judged == [*tokenizer(text, add_special_tokens=False)["input_ids"], 3]
        assert all(len(feature.ids) <= 20 for feature in mine)
    answer = task.answer(
        Example({"text": "x"}), [(features[0], Judged([1.0, 2.0], 1)), (features[0], Judged([3.0], 0))]
    )
    assert (answer.pred, answer.loss, answer.correct) == ("perplexity 7.389", 2.0, None)
    assert answer.output["judged"] == 3


def test_a_prompt_is_written_on_with_the_space_before_a_word() -> None:
    tokenizer, task = bare_tokenizer(), pretraining()
    (feature,) = task.questions(tokenizer, [task.example({"prompt": "so kind"})], LIMIT)
    written = tokenizer(" and so", add_special_tokens=False)["input_ids"]
    assert task.answer(Example({"prompt": "so kind"}), [(feature, written)]).output["text"].strip() == "and so"
    assert tokenizer.decode(feature.ids) == "[SEP] so kind"


def test_beginnings_alone_are_nothing_to_learn_from() -> None:
    with pytest.raises(WorkbenchError, match="no column of texts to learn from"):
        CausalPretraining.learn(CausalPretraining.Options(), [{"prompt": "x"}], [])


def test_the_end_token_goes_on_learning_where_it_fills_rows_up() -> None:
    import torch
    from transformers import AutoModelForCausalLM

    tokenizer = bare_tokenizer()
    config = decoder("llama").config
    for pad, learns in ((None, True), (3, False)):
        config.pad_token_id = pad
        set_padding(config, tokenizer)
        assert config.pad_token_id == pad
        model = AutoModelForCausalLM.from_config(config)
        task = pretraining()
        batch = task.collate(task.encode(tokenizer, [task.example({"text": "good"})] * 2, LIMIT), tokenizer)
        task.loss(model, batch, 0.0).backward()
        assert bool(torch.any(model.get_input_embeddings().weight.grad[3] != 0)) is learns
    config.pad_token_id = None
    set_padding(config, bert_like_tokenizer())
    assert config.pad_token_id == 0
