"""The losses of vectors: those of sentence-transformers, and no text against itself."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from workbench.tasks.contrast import SCALE, cosent_loss, in_batch_loss

if TYPE_CHECKING:
    import torch


def random_vectors(rows: int, seed: int) -> torch.Tensor:
    """Return random vectors of any length, as 64-bit floats that learn."""
    import torch

    values = torch.randn(rows, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return values.requires_grad_()


def unit(vectors: torch.Tensor) -> torch.Tensor:
    """Return the vectors at length 1."""
    from torch.nn.functional import normalize

    return normalize(vectors, dim=-1)


def units(rows: int, seed: int) -> torch.Tensor:
    """Return random vectors of length 1 that learn."""
    return unit(random_vectors(rows, seed)).detach().requires_grad_()


def numbers(*values: int) -> torch.Tensor:
    import torch

    return torch.tensor(values)


def theirs(name: str) -> Any:
    from sentence_transformers.sentence_transformer import losses

    return getattr(losses, name)(model=None)


@pytest.mark.parametrize("rows", [1, 2, 7, 33])
@pytest.mark.parametrize("triplets", [False, True])
def test_pairs_and_triplets_have_the_loss_of_sentence_transformers(rows: int, triplets: bool) -> None:
    import torch

    columns = [random_vectors(rows, seed) for seed in range(3 if triplets else 2)]
    expected = theirs("MultipleNegativesRankingLoss").compute_loss_from_embeddings(columns, None)
    distinct = torch.arange(rows * len(columns))
    found = in_batch_loss(unit(columns[0]), unit(torch.cat(columns[1:])), distinct) / rows
    assert found.item() == pytest.approx(expected.item(), abs=1e-9)
    slopes = [torch.autograd.grad(each, columns, retain_graph=True) for each in (found, expected)]
    for mine, other in zip(*slopes, strict=True):
        assert torch.allclose(mine, other, atol=1e-9)


@pytest.mark.parametrize("rows", [1, 2, 7, 33])
def test_scores_have_the_loss_of_sentence_transformers(rows: int) -> None:
    import torch

    one, other = random_vectors(rows, 1), random_vectors(rows, 2)
    scores = torch.randint(0, 5, (rows,), generator=torch.Generator().manual_seed(rows)).double() / 4
    expected = theirs("CoSENTLoss").compute_loss_from_embeddings([one, other], scores)
    found = cosent_loss((unit(one) * unit(other)).sum(-1), scores)
    assert found.item() == pytest.approx(expected.item(), abs=1e-9)
    slopes = [torch.autograd.grad(each, [one, other]) for each in (found, expected)]
    for mine, theirs_ in zip(*slopes, strict=True):
        assert torch.allclose(mine, theirs_, atol=1e-9)


def one_by_one(anchors: torch.Tensor, candidates: torch.Tensor, allowed: list[list[int]]) -> float:
    """Return the loss by its definition, each anchor's pair against the candidates that are allowed for it."""
    total = 0.0
    for row, others in enumerate(allowed):
        powers = {n: math.exp(SCALE * (anchors[row] @ candidates[n]).item()) for n in {row, *others}}
        total -= math.log(powers[row] / math.fsum(powers.values()))
    return total


@pytest.mark.parametrize(
    ("same", "allowed"),
    [
        # Texts 0, 1, 2; pairs 3, 4, 5: all differ.
        ([0, 1, 2, 3, 4, 5], [[1, 2], [0, 2], [0, 1]]),
        # The pair of 0 is that of 1 too.
        ([0, 1, 2, 3, 3, 5], [[2], [2], [0, 1]]),
        # 0 and 1 are the same text: both pairs are right for both.
        ([0, 0, 2, 3, 4, 5], [[2], [2], [0, 1]]),
        # The pair of 0 is the text 1.
        ([0, 1, 2, 1, 4, 5], [[1, 2], [2], [0, 1]]),
        # One row twice.
        ([0, 0, 2, 3, 3, 5], [[2], [2], [0, 1]]),
        # A negative (6) that is the pair of 2, one (7) of a text of its own.
        ([0, 1, 2, 3, 4, 5, 5, 7], [[1, 2, 3, 4], [0, 2, 3, 4], [0, 1, 4]]),
        # 0 and 1 are the same text, and the negative of 0 is the pair of 1.
        ([0, 0, 2, 3, 4, 5, 4], [[2], [2], [0, 1, 3]]),
    ],
)
def test_equal_texts_are_no_negatives_of_each_other(same: list[int], allowed: list[list[int]]) -> None:
    anchors, candidates = units(3, 1), units(len(same) - 3, 2)
    found = in_batch_loss(anchors, candidates, numbers(*same))
    assert found.item() == pytest.approx(one_by_one(anchors, candidates, allowed), abs=1e-9)
    found.backward()
    assert anchors.grad is not None
    assert anchors.grad.isfinite().all()


def test_smoothing_shares_certainty_among_the_candidates_that_count() -> None:
    import torch
    from torch.nn.functional import cross_entropy

    anchors, candidates = units(4, 1), units(6, 2)
    plain = cross_entropy(SCALE * anchors @ candidates.T, torch.arange(4), reduction="sum", label_smoothing=0.1)
    assert in_batch_loss(anchors, candidates, torch.arange(10), 0.1).item() == pytest.approx(plain.item(), abs=1e-9)
    masked = in_batch_loss(anchors, candidates, numbers(0, 1, 2, 3, 4, 4, 6, 7, 8, 9), 0.1)
    masked.backward()
    assert masked.isfinite()
    assert anchors.grad is not None
    assert anchors.grad.isfinite().all()


def test_losses_are_computed_in_32_bits_where_the_model_is_in_16() -> None:
    import torch

    anchors, candidates = units(8, 1).float(), units(8, 2).float()
    cosines, scores = (anchors * candidates).sum(-1), torch.arange(8.0)
    plain = [in_batch_loss(anchors, candidates, torch.arange(16)), cosent_loss(cosines, scores)]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = [in_batch_loss(anchors, candidates, torch.arange(16)), cosent_loss(cosines, scores)]
    assert mixed == plain


def test_scores_in_the_right_order_cost_less() -> None:
    import torch

    cosines = torch.tensor([0.1, 0.5, 0.9])
    right, wrong = (cosent_loss(cosines, torch.tensor(scores)).item() for scores in ([0.0, 1.0, 2.0], [2.0, 1.0, 0.0]))
    assert right < 0.01 < 10 < wrong
    assert cosent_loss(cosines, torch.tensor([1.0, 1.0, 1.0])).item() == 0
