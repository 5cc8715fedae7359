"""Masked pretraining: losses and metrics by another way, prompts, company, folders that others load."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import pytest

from tests.making import BAD, GOOD, TWO_SIDED, tiny_backbone, tiny_model, tiny_tokenizer
from tests.shared import MINILM
from workbench.data.features import IGNORED, Example, RowProblem
from workbench.inference.scoring import answers_to, score
from workbench.tasks import TASKS
from workbench.tasks.answer import Answer
from workbench.tasks.masked_pretraining import Guess, MaskedPretraining, perplexity

KINDS = ("bert", "distilbert", "roberta", "deberta-v2", "modernbert", "electra", "mpnet", "albert")
POOLED = ("bert", "roberta", "mpnet", "albert")
TASK = MaskedPretraining(MaskedPretraining.Options(), {})
TEXTS = [*GOOD, *BAD, "x", "a good [MASK]", "<mask> [MASK] day", " ".join(GOOD), "good " * 100, "\ud800"]
LIMIT = 64


def examples_of(texts: list[str]) -> list[Example]:
    return [TASK.example({"text": text}) for text in texts]


def answers_of(model: Any, texts: list[str], limit: int = LIMIT) -> list[Answer]:
    examples, tokenizer = examples_of(texts), tiny_tokenizer()
    return answers_to(TASK, model, tokenizer, examples, TASK.questions(tokenizer, examples, limit), limit)


def echo(logits: Any) -> Any:
    """Return a model whose logits are given: hidden states that the head hands on."""
    import torch

    class Base(torch.nn.Module):
        def forward(self, **_inputs: Any) -> dict[str, Any]:
            return {"last_hidden_state": logits}

    class Echo(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.base_model = Base()

        def forward(self, **inputs: Any) -> Any:
            from types import SimpleNamespace

            return SimpleNamespace(logits=self.base_model(**inputs)["last_hidden_state"])

    return Echo()


@pytest.mark.parametrize("seed", range(24))
def test_metrics_are_those_of_the_logits_computed_otherwise(seed: int) -> None:
    import numpy
    import torch

    chance = random.Random(seed)
    tokenizer = tiny_tokenizer()
    words = " ".join((*GOOD, *BAD)).split()
    texts = [" ".join(chance.choices(words, k=chance.randint(1, 12))) for _ in range(chance.randint(1, 9))]
    examples = examples_of(texts)
    features = TASK.questions(tokenizer, examples, LIMIT)
    batch = TASK.collate(features, tokenizer)
    torch.manual_seed(seed)
    logits = 3 * torch.randn((*batch["input_ids"].shape, len(tokenizer)))
    # In some fixtures the right token is likely, so that some guesses are right.
    right = batch["labels"].clamp(min=0)[..., None]
    logits.scatter_add_(-1, right, torch.full(right.shape, 8.0) * (torch.rand(right.shape) < seed / 24))
    said = TASK.outputs(echo(logits), batch, "", None)
    answers = [TASK.answer(each, [(features[n], said[n])]) for n, each in enumerate(examples)]
    found = TASK.metrics(answers, examples)

    rows = logits.numpy().astype(numpy.float64)
    labels = batch["labels"].numpy()
    asked = labels != IGNORED
    logs = rows - numpy.log(numpy.exp(rows).sum(axis=-1, keepdims=True))
    losses = -numpy.take_along_axis(logs, labels.clip(min=0)[..., None], axis=-1)[..., 0]
    loss = losses[asked].mean()
    expected = {
        "loss": loss,
        "perplexity": numpy.exp(loss),
        "token_accuracy": (rows.argmax(axis=-1) == labels)[asked].mean(),
    }
    assert set(found) == set(TASK.card.metrics)
    assert found == pytest.approx(expected, rel=1e-9)
    by_row = [losses[number][asked[number]].mean() for number in range(len(texts))]
    assert [answer.loss for answer in answers] == pytest.approx(by_row, rel=1e-9)
    total = TASK.loss(echo(logits), batch, 0.0)
    assert float(total) == pytest.approx(losses[asked].sum(), rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_is_that_of_transformers_and_so_are_its_gradients(kind: str) -> None:
    import torch

    tokenizer, model = tiny_tokenizer(), tiny_model(kind, auto="AutoModelForMaskedLM")
    rows = TASK.encode(tokenizer, examples_of(TEXTS[:10]), 32)
    varied = [TASK.vary(row, random.Random(number)) for number, row in enumerate(rows)]
    batch = TASK.collate(varied, tokenizer)
    items = sum(row.items for row in varied)
    assert items == int((batch["labels"] != IGNORED).sum())
    loss = TASK.loss(model, batch, 0.0) / items
    loss.backward()
    mine = {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}
    model.zero_grad()
    theirs = model(**batch).loss
    theirs.backward()
    assert float(loss.detach()) == pytest.approx(float(theirs.detach()), abs=1e-6)
    for name, weight in model.named_parameters():
        assert (weight.grad is None) == (name not in mine), name
        if weight.grad is not None:
            assert torch.allclose(mine[name], weight.grad, atol=1e-6), name
    assert not model.base_model._forward_hooks


@pytest.mark.parametrize("kind", KINDS)
def test_alone_or_in_company_a_text_has_the_same_answer_to_the_last_bit(kind: str) -> None:
    model = tiny_model(kind, auto="AutoModelForMaskedLM")
    alone = [answers_of(model, [text])[0] for text in TEXTS]
    assert answers_of(model, TEXTS) == alone
    chance = random.Random(1)
    for _ in range(4):
        picked = [chance.randrange(len(TEXTS)) for _ in range(chance.randint(1, 30))]
        assert answers_of(model, [TEXTS[number] for number in picked]) == [alone[number] for number in picked]


@pytest.mark.shared
@pytest.mark.skipif(not MINILM.is_dir(), reason="no development weights")
def test_a_real_model_answers_the_same_in_any_company() -> None:
    import torch

    from workbench.training.model import load_tokenizer

    model, info = TASK.load(MINILM, dtype=torch.float32)
    tokenizer = load_tokenizer(MINILM)
    assert {key.split(".")[0] for key in info["missing_keys"]} == {"cls"}
    texts = [*GOOD, "The capital of France is [MASK].", "A long text, " * 40]
    examples = examples_of(texts)
    questions = TASK.questions(tokenizer, examples, 128)
    together = score(TASK, model, tokenizer, questions, 128)
    assert [score(TASK, model, tokenizer, [question], 128)[0] for question in questions] == together


def test_the_same_text_is_asked_the_same_by_every_run() -> None:
    tokenizer = tiny_tokenizer()
    first = TASK.questions(tokenizer, examples_of(TEXTS), LIMIT)
    other = MaskedPretraining(MaskedPretraining.Options(share=0.4, whole_words=True), {})
    again = other.questions(tokenizer, examples_of(TEXTS[::-1]), LIMIT)[::-1]
    assert [(each.ids, each.labels) for each in again] == [(each.ids, each.labels) for each in first]
    assert (
        len({tuple(place for place, label in enumerate(each.labels or ()) if label != IGNORED) for each in first}) > 8
    )


def test_each_epoch_hides_other_tokens_and_the_same_ones_again() -> None:
    (row, *_) = TASK.encode(tiny_tokenizer(), examples_of([*GOOD, *BAD]), 64)
    seen = [TASK.vary(row, random.Random(f"vary 1 {epoch} 0")) for epoch in (0, 1, 0)]
    assert seen[0] == seen[2] != seen[1]
    assert row.labels is None
    assert all(each.items == sum(label != IGNORED for label in each.labels) >= 1 for each in seen)
    wide = MaskedPretraining(MaskedPretraining.Options(share=0.5), {})
    assert wide.vary(row, random.Random(1)).items == round(0.5 * sum(token >= 5 for token in row.ids))


def test_a_mask_is_filled_with_what_the_pipeline_of_transformers_says(tmp_path: Path) -> None:
    from transformers import pipeline

    model, tokenizer = tiny_model("roberta", auto="AutoModelForMaskedLM"), tiny_tokenizer(types=False)
    TASK.save(model, tokenizer, tmp_path)
    fill = pipeline("fill-mask", model=str(tmp_path), tokenizer=str(tmp_path))
    for text in ("a good [MASK]", "[MASK] day", "so <mask> and so very rude"):
        (answer,) = answers_of(model, [text])
        (filling,) = answer.output["fillings"]
        theirs = fill(text.replace("<mask>", "[MASK]"))
        assert [each["score"] for each in filling["tokens"]] == pytest.approx(
            [each["score"] for each in theirs], rel=1e-4
        )
        ids = [each["token"] for each in theirs]
        assert [each["text"] for each in filling["tokens"]] == [
            tokenizer.decode([number]).strip() or tokenizer.convert_ids_to_tokens(number) for number in ids
        ]
        assert answer.output["filled"] == theirs[0]["sequence"].strip()
        assert (answer.loss, answer.correct) == (None, None)
        assert answer.pred == filling["tokens"][0]["text"]
        assert answer.score == filling["tokens"][0]["score"]


def test_every_mask_is_told_in_its_place() -> None:
    model, tokenizer = tiny_model("bert", auto="AutoModelForMaskedLM"), tiny_tokenizer()
    for count in (1, 2, 3, 4, 5, 9):
        text = "a " + "[MASK] good <mask> " * (count // 2) + "[MASK]" * (count % 2)
        (question,) = TASK.questions(tokenizer, examples_of([text]), LIMIT)
        (answer,) = answers_of(model, [text])
        places = [number for number, token in enumerate(question.ids) if token == tokenizer.mask_token_id]
        assert [filling["place"] for filling in answer.output["fillings"]] == places
        assert len(places) == count
        assert all(len(filling["tokens"]) == 5 for filling in answer.output["fillings"])


def test_a_text_without_masks_is_judged_and_one_without_words_is_not() -> None:
    model = tiny_model("bert", auto="AutoModelForMaskedLM")
    judged, cut, empty, beyond = answers_of(model, ["a good day", "good " * 500, "", "good " * 200 + "[MASK]"])
    assert judged.loss is not None
    assert judged.output["perplexity"] == pytest.approx(math.exp(judged.loss))
    assert [filling["right"] for filling in judged.output["fillings"]]
    assert len(cut.output["fillings"]) == 9
    for answer in (empty, beyond):
        assert (answer.loss, answer.output["fillings"], answer.pred) == (None, [], "")
    assert TASK.metrics([judged, empty], examples_of(["", ""])) == TASK.metrics([judged], examples_of([""]))
    nothing = TASK.metrics([empty], examples_of([""]))
    assert all(math.isnan(value) for value in nothing.values())


def test_a_loss_beyond_all_numbers_has_an_infinite_perplexity() -> None:
    assert perplexity(1000.0) == perplexity(math.inf) == math.inf
    assert math.isnan(perplexity(math.nan))
    (question,) = TASK.questions(tiny_tokenizer(), examples_of(["good"]), LIMIT)
    answer = TASK.answer(examples_of(["good"])[0], [(question, [Guess(1, [7], [0.0], 8, -math.inf)])])
    assert (answer.loss, answer.correct, answer.score) == (math.inf, False, 1.0)


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(RowProblem, match="holds int, not text"):
        TASK.example({"text": 3})


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_folder_is_a_masked_model_and_the_backbone_with_its_pooler(kind: str, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModel, AutoModelForMaskedLM

    source = tiny_backbone(tmp_path / "source", kind)
    tokenizer = tiny_tokenizer(types=kind in TWO_SIDED)
    model, _ = TASK.load(source, dtype=torch.float32)
    batch = TASK.collate(TASK.questions(tokenizer, examples_of([*GOOD]), 32), tokenizer)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    TASK.loss(model, batch, 0.0).backward()
    optimiser.step()
    TASK.save(model, tokenizer, tmp_path / "saved")
    inputs = {name: tensor for name, tensor in batch.items() if name != "labels"}
    model.eval()
    with torch.inference_mode():
        loaded, info = AutoModelForMaskedLM.from_pretrained(tmp_path / "saved", output_loading_info=True)
        assert not info["missing_keys"]
        assert torch.allclose(loaded.eval()(**inputs).logits, model(**inputs).logits, atol=1e-6, rtol=0)
        bare, info = AutoModel.from_pretrained(tmp_path / "saved", output_loading_info=True)
        assert not info["missing_keys"]
        hidden = model.base_model(**inputs)[0]
        assert torch.allclose(bare.eval()(**inputs)[0], hidden, atol=1e-6, rtol=0)
    before = AutoModel.from_pretrained(source).state_dict()
    pooled = [name for name in before if "pooler" in name]
    assert bool(pooled) == (kind in POOLED)
    assert all(torch.equal(bare.state_dict()[name], before[name]) for name in pooled)
    assert any(not torch.equal(bare.state_dict()[name], before[name]) for name in before)
    # And it is carried on once more, from a folder that has a masked head.
    again, _ = TASK.load(tmp_path / "saved", dtype=torch.float32)
    TASK.save(again, tokenizer, tmp_path / "twice")
    twice = AutoModel.from_pretrained(tmp_path / "twice").state_dict()
    assert all(torch.equal(twice[name], before[name]) for name in pooled)


def test_the_task_is_found_and_comes_back_from_its_description() -> None:
    options = MaskedPretraining.Options(share=0.3)
    again = TASKS["masked-pretraining"].from_description(MaskedPretraining(options, {}).describe())
    assert again.options == options
    assert again.gold_words(again.example({"text": "a good day"})) is None
