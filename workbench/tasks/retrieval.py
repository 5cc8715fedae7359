"""How well vectors find what they should, and how well their cosines follow scores."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy

DEPTH = 10
"""How many of the nearest texts are looked at."""

AT_ONCE = 512


def retrieval(
    queries: numpy.ndarray, corpus: numpy.ndarray, relevant: Sequence[Collection[int]], own: Sequence[int | None]
) -> dict[str, float]:
    """Return recall@1, recall@10, mrr (MRR@10) and ndcg (nDCG@10), means over the queries.

    Vectors of length 1: queries (q, d), corpus (c, d). `relevant` has the numbers of the texts that each query should
    find, `own` that of its own text where the corpus has it: it is not looked at unless it is relevant. Texts as near
    as each other are ranked in the order of the corpus.
    """
    found = _ranks(queries, corpus, relevant, own)
    return {
        "recall@1": _mean([sum(rank < 1 for rank in ranks) / len(ranks) for ranks in found]),
        "recall@10": _mean([sum(rank < DEPTH for rank in ranks) / len(ranks) for ranks in found]),
        "mrr": _mean([1 / (1 + min(ranks)) if min(ranks) < DEPTH else 0.0 for ranks in found]),
        "ndcg": _mean([_gain(ranks) / _gain(range(len(ranks))) for ranks in found]),
    }


def correlations(said: Sequence[float], right: Sequence[float]) -> dict[str, float]:
    """Return spearman and pearson (SciPy's) of two series; 0 where one of them is constant and has no order."""
    from scipy.stats import pearsonr, spearmanr

    if min(said) == max(said) or min(right) == max(right):
        return {"spearman": 0.0, "pearson": 0.0}
    return {"spearman": float(spearmanr(said, right).statistic), "pearson": float(pearsonr(said, right).statistic)}


def _ranks(
    queries: numpy.ndarray, corpus: numpy.ndarray, relevant: Sequence[Collection[int]], own: Sequence[int | None]
) -> list[list[int]]:
    """Return for each query the ranks, from 0, of the texts that it should find."""
    import numpy

    ranks: list[list[int]] = []
    for start in range(0, len(queries), AT_ONCE):
        scores = queries[start : start + AT_ONCE].astype(numpy.float64) @ corpus.astype(numpy.float64).T
        scores[numpy.isnan(scores)] = -math.inf
        for row, wanted, itself in zip(scores, relevant[start:], own[start:], strict=False):
            if itself is not None and itself not in wanted:
                row[itself] = -math.inf
            ranks.append([int((row > row[n]).sum() + (row[:n] == row[n]).sum()) for n in wanted])
    return ranks


def _gain(ranks: Collection[int]) -> float:
    """Return the discounted gain of relevant texts at these ranks (Järvelin and Kekäläinen 2002)."""
    return math.fsum(1 / math.log2(rank + 2) for rank in ranks if rank < DEPTH)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
