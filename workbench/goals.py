"""Which way a metric is better: the one thing that every list and chart of runs must know of it. Light."""

from __future__ import annotations

LOWER_IS_BETTER = frozenset({"loss", "mae", "perplexity"})


def goal_of(metric: str) -> str:
    """Return whether larger (`max`) or smaller (`min`) is better; `eval/` in front is left out."""
    return "min" if metric.removeprefix("eval/") in LOWER_IS_BETTER else "max"
