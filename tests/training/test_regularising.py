"""Noise, mixed rows, two passes and class weights: what each adds to a loss, by hand, and where it adds nothing."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy

from tests.making import ARCHITECTURES, tiny_backbone, tiny_model, toy_rows, write_jsonl
from tests.training.support import recipe_of
from workbench.catalog import TASKS
from workbench.data.features import IGNORED, Feature
from workbench.errors import WorkbenchError
from workbench.inference.scoring import score
from workbench.tasks.divergence import divergence
from workbench.tasks.labels import balanced
from workbench.tasks.multi_label import MultiLabel
from workbench.tasks.named_entities import NamedEntities
from workbench.tasks.regression import Regression
from workbench.tasks.text_classification import TextClassification
from workbench.training.checkpoints import Progress
from workbench.training.job import Job, build
from workbench.training.loop import update
from workbench.training.regularising import add_noise, mixed, rdrop_loss, token_embeddings

IDS = torch.tensor([[2, 7, 8, 9, 3], [2, 10, 11, 3, 0], [2, 12, 13, 14, 3]])
MASK = (IDS != 0).long()
TASK = TextClassification(TextClassification.Options(), {"labels": ["a", "b", "c"]})


def batch_of(labels: Any) -> dict[str, torch.Tensor]:
    return {"input_ids": IDS, "attention_mask": MASK, "labels": torch.tensor(labels)}


def model_of(kind: str, labels: int = 3, **options: Any) -> Any:
    auto = "AutoModelForSeq2SeqLM" if kind == "marian" else "AutoModelForSequenceClassification"
    return tiny_model(kind, labels, auto, **options)


def logits_of(model: Any) -> torch.Tensor:
    more = {"decoder_input_ids": IDS} if model.config.model_type == "marian" else {}
    with torch.no_grad():
        return model(input_ids=IDS, attention_mask=MASK, **more).logits


# noise


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_noise_is_there_in_training_and_not_in_evaluation(kind: str) -> None:
    model = model_of(kind)
    plain = logits_of(model.eval())
    add_noise(model, 50.0)
    assert torch.equal(logits_of(model.eval()), plain)
    torch.manual_seed(1)
    one, other = logits_of(model.train()), logits_of(model)
    assert not torch.equal(one, plain)
    assert not torch.equal(one, other)
    torch.manual_seed(1)
    assert torch.equal(logits_of(model), one)


def test_noise_is_as_large_as_the_paper_says() -> None:
    model = model_of("bert")
    (embedding,) = token_embeddings(model)
    plain = embedding(IDS)
    add_noise(model, 5.0)
    moved = torch.stack([embedding(IDS) - plain for _ in range(300)])
    limit = 5.0 / (IDS.shape[1] * plain.shape[-1]) ** 0.5
    assert 0.99 * limit < moved.abs().max() <= limit * (1 + 1e-5)
    assert moved.mean().abs() < limit / 50


# mixup


def test_the_loss_of_mixed_rows_is_the_mixture_of_their_losses() -> None:
    model, batch = model_of("bert"), batch_of([0, 2, 1])
    (embedding,) = token_embeddings(model)
    torch.manual_seed(4)
    share, partners = torch.distributions.Beta(0.4, 0.4).sample(), torch.randperm(3)
    assert partners.tolist() != [0, 1, 2]
    embedded = embedding(IDS)
    logits = model(
        inputs_embeds=share * embedded + (1 - share) * embedded[partners],
        attention_mask=torch.maximum(MASK, MASK[partners]),
    ).logits
    labels = batch["labels"]
    wanted = share * cross_entropy(logits, labels, reduction="sum", label_smoothing=0.1)
    wanted = wanted + (1 - share) * cross_entropy(logits, labels[partners], reduction="sum", label_smoothing=0.1)
    torch.manual_seed(4)
    with mixed(model, batch, 0.4) as mixture:
        found = TASK.loss(model, mixture, 0.1)
    assert found.item() == pytest.approx(wanted.item(), rel=1e-6)


@pytest.mark.parametrize("kind", [kind for kind in ARCHITECTURES if kind != "marian"])
def test_rows_are_mixed_while_asked_and_never_after(kind: str) -> None:
    model = model_of(kind).eval()
    plain = logits_of(model)
    torch.manual_seed(4)
    with mixed(model, batch_of([0, 2, 1]), 0.4) as mixture:
        assert mixture["labels"].sum(-1).tolist() == pytest.approx([1, 1, 1])
        assert not torch.equal(logits_of(model), plain)
    assert torch.equal(logits_of(model), plain)


def test_shares_of_labels_are_weighed_as_the_labels_are() -> None:
    task = MultiLabel(MultiLabel.Options(), {"labels": ["a", "b"]})
    hot = [[1.0, 0.0], [1.0, 1.0], [1.0, 0.0], [0.0, 0.0]]
    task.weigh([Feature(number, [1], labels=row) for number, row in enumerate(hot)])
    model, one, other = model_of("bert", 2), torch.tensor(hot[:3]), torch.tensor(hot[1:])
    losses = [task.loss(model, batch_of(each.tolist()), 0.1).item() for each in (one, other, 0.3 * one + 0.7 * other)]
    assert losses[2] == pytest.approx(0.3 * losses[0] + 0.7 * losses[1], rel=1e-5)


# R-Drop


def test_two_passes_have_the_mean_loss_and_their_divergence() -> None:
    model = model_of("bert").train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.3
    batch, said = batch_of([0, 2, 1]), []
    with model.register_forward_hook(lambda _module, _inputs, output: said.append(output.logits)):
        found = rdrop_loss(TASK, model, batch, 0.0, 1.5).item()
    one, other = (logits.log_softmax(-1) for logits in said[0].split(3))
    assert not torch.equal(one, other)
    losses = [-logs[range(3), batch["labels"]].sum() for logs in (one, other)]
    ways = [torch.nn.functional.kl_div(a, b, reduction="sum", log_target=True) for a, b in ((one, other), (other, one))]
    assert found == pytest.approx((sum(losses) / 2 + 1.5 * sum(ways) / 2).item(), rel=1e-5)


def test_a_divergence_is_that_of_torch() -> None:
    torch.manual_seed(0)
    logits = torch.randn(8, 5, 7)
    one, other = (torch.distributions.Categorical(logits=half) for half in logits.chunk(2))
    kl = torch.distributions.kl_divergence
    assert torch.allclose(divergence(logits), (kl(one, other) + kl(other, one)) / 2, atol=1e-6)


def test_labels_of_their_own_differ_each_and_scores_by_their_square() -> None:
    torch.manual_seed(0)
    logits = torch.randn(6, 2)
    output = type("Output", (), {"logits": logits})
    one, other = (torch.distributions.Bernoulli(logits=half) for half in logits.chunk(2))
    kl = torch.distributions.kl_divergence
    wanted = (kl(one, other) + kl(other, one)).mean(-1).sum() / 2
    task = MultiLabel(MultiLabel.Options(), {"labels": ["a", "b"]})
    assert torch.allclose(task.divergence(output, {}), wanted)
    scores = Regression(Regression.Options(), {"mean": 0.0, "deviation": 2.0})
    assert torch.allclose(scores.divergence(output, {}), ((logits[:3, 0] - logits[3:, 0]) ** 2).sum() / 4)


# class weights


def test_rare_labels_count_more_and_a_mean_row_counts_one() -> None:
    labels = [0, 0, 0, 0, 0, 2, 2, 1]
    weights = balanced(labels, 4)
    assert weights[3] == 1.0
    assert sum(weights[label] for label in labels) / len(labels) == pytest.approx(1)
    counts = Counter(labels)
    assert [weights[label] * counts[label] for label in range(3)] == pytest.approx([8 / 3] * 3)


def test_weights_multiply_the_loss_of_each_row() -> None:
    task = TextClassification(TextClassification.Options(), {"labels": ["a", "b", "c"]})
    model, labels = model_of("bert"), [0, 0, 2]
    task.weigh([Feature(number, [1], labels=label) for number, label in enumerate([0, 0, 0, 1, 2])])
    losses = cross_entropy(logits_of(model), torch.tensor(labels), reduction="none")
    weights = torch.tensor([5 / 9, 5 / 9, 5 / 3])
    assert task.loss(model, batch_of(labels), 0.0).item() == pytest.approx(float(losses @ weights), rel=1e-5)


def test_tags_are_weighed_by_the_words_that_have_them() -> None:
    task = NamedEntities(NamedEntities.Options(), {"labels": ["O", "B-a"], "scheme": "IOB2"})
    task.weigh([Feature(0, [1, 2, 3], labels=[0, IGNORED, 1]), Feature(1, [1, 2, 3], labels=[0, 0, IGNORED])])
    model = tiny_model("bert", 2, NamedEntities.auto)
    labels = torch.tensor([[0, 1, 0, IGNORED, IGNORED], [IGNORED] * 5, [1, 1, IGNORED, 0, 0]])
    flat = cross_entropy(logits_of(model).transpose(1, 2), labels, reduction="none", ignore_index=IGNORED)
    wanted = (flat * torch.where(labels == 1, 2.0, 2 / 3)).sum()
    assert task.loss(model, batch_of(labels.tolist()), 0.0).item() == pytest.approx(wanted.item(), rel=1e-5)


# in a run


BACKBONES = {"encoder": "bert", "decoder": "llama", "encoder-decoder": "bart"}


@pytest.fixture(scope="module")
def backbones(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {kind: tiny_backbone(tmp_path_factory.mktemp("kinds") / kind, kind) for kind in BACKBONES.values()}


def first_loss(job: Job) -> float:
    return float(update(job, job.windows(0)[0], Progress()).loss)


@pytest.mark.parametrize("name", [name for name, card in TASKS.items() if card.remedies and card.starter])
def test_a_task_can_have_what_its_card_says(backbones: dict[str, Path], tmp_path: Path, name: str) -> None:
    card = TASKS[name]
    settings: dict[str, Any] = {"rdrop": 1.0, "mixup": 0.5, "class_weights": "balanced"}
    losses = {}
    for remedy in ("", *card.remedies):
        on = {remedy: settings[remedy]} if remedy else {}
        # Without dropout both passes would say the same.
        dropout = 0.1 if remedy == "rdrop" else 0.0
        made = recipe_of(
            backbones[BACKBONES[card.family]],
            Path("unused"),
            task=name,
            data={"train": f"starter:{card.starter}", "rows": 24},
            training={"max_length": 48, "dropout": dropout, **on},
        )
        (tmp_path / f"run{remedy}").mkdir()
        losses[remedy] = first_loss(build(made, tmp_path / f"run{remedy}", tmp_path / "cache"))
    assert all(0 < loss < 1e4 for loss in losses.values())
    assert len(set(losses.values())) == len(losses)


def test_two_passes_that_would_say_the_same_are_refused(backbone: Path, tmp_path: Path) -> None:
    rows = write_jsonl(tmp_path / "rows.jsonl", toy_rows(20))
    (tmp_path / "run").mkdir()
    with pytest.raises(WorkbenchError, match=r"training\.rdrop: R-Drop needs dropout"):
        build(recipe_of(backbone, rows, training={"rdrop": 1.0}), tmp_path / "run", tmp_path / "cache")


def test_evaluation_is_the_same_with_noise(backbone: Path, tmp_path: Path) -> None:
    rows = write_jsonl(tmp_path / "rows.jsonl", toy_rows(20))
    said = []
    for name, noise in (("plain", 0.0), ("noisy", 50.0)):
        (tmp_path / name).mkdir()
        job = build(recipe_of(backbone, rows, training={"noise": noise}), tmp_path / name, tmp_path / "cache")
        before = torch.get_rng_state()
        said.append(score(job.data.task, job.model, job.tokenizer, job.questions, job.max_length))
        assert torch.equal(torch.get_rng_state(), before)
    assert said[0] == said[1]
