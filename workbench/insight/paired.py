"""The paired test of two models that answered the same examples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Paired:
    """Of `examples` that both answered, `better` were right here alone and `worse` right in the baseline alone."""

    examples: int
    better: int
    worse: int
    p: float

    @property
    def discordant(self) -> int:
        """How many examples tell the two apart."""
        return self.better + self.worse

    @property
    def significant(self) -> bool:
        return self.p < SIGNIFICANT


def mcnemar(better: int, worse: int) -> float:
    """Return the two-sided p of McNemar's exact test: a fair coin would part the discordant examples as unevenly.

    1.0 where no example is discordant (McNemar 1947; the exact form is a sign test).
    """
    n, fewer = better + worse, min(better, worse)
    term = total = 1
    for k in range(fewer):
        term = term * (n - k) // (k + 1)
        total += term
    return min(1.0, 2 * total / 2**n)


def paired_test(baseline: Mapping[int, bool], other: Mapping[int, bool]) -> Paired | None:
    """Test `other` against `baseline` (example → right or not) on the examples both have; None where there are none."""
    shared = baseline.keys() & other.keys()
    if not shared:
        return None
    better = sum(other[index] and not baseline[index] for index in shared)
    worse = sum(baseline[index] and not other[index] for index in shared)
    return Paired(len(shared), better, worse, mcnemar(better, worse))
