"""The losses that move texts as vectors: near their pairs and far from the others, or in the order of scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

SCALE = 20.0
"""What cosines are multiplied with: the inverse of the temperature 0.05 that is usual for both losses."""


def in_batch_loss(
    anchors: torch.Tensor, candidates: torch.Tensor, same: torch.Tensor, smoothing: float = 0.0
) -> torch.Tensor:
    """Return the sum over the anchors of -log softmax of their pair among all candidates of the batch, in nats.

    Vectors of length 1: anchors (n, d); candidates (m, d), the first n of them the anchors' pairs in their order, the
    others given as negatives. `same` (n + m) numbers the texts of both: equal texts have equal numbers, and what equals
    an anchor, or any pair that the batch has for its text, is no negative of it. (InfoNCE, van den Oord et al. 2018.)
    """
    import torch

    n = len(anchors)
    text, other = same[:n], same[n:]
    pairs_with = (text[:, None] == text).float() @ (other[:n, None] == other).float() > 0
    no_negative = pairs_with | (text[:, None] == other)
    no_negative[:, :n].fill_diagonal_(False)
    # Twenty times a cosine of 16 bits would be known to a tenth only.
    with torch.autocast(anchors.device.type, enabled=False):
        scores = (SCALE * anchors @ candidates.T).masked_fill(no_negative, -torch.inf)
    surprise = -scores.log_softmax(-1)
    even = surprise.masked_fill(no_negative, 0).sum(-1) / (~no_negative).sum(-1)
    return ((1 - smoothing) * surprise[:, :n].diagonal() + smoothing * even).sum()


def cosent_loss(cosines: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
    """Return log(1 + the sum of exp(20 (cosine of k - cosine of i)) over all i, k of which i has the higher score).

    Both (rows). (CoSENT, Huang et al. 2024.)
    """
    import torch

    gaps = (cosines - cosines[:, None])[scores[:, None] > scores]
    return torch.cat([cosines.new_zeros(1), SCALE * gaps]).logsumexp(0)
