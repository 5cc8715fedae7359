"""Which way a metric is better: the one thing that every list and chart of runs must know of it. Light."""

from __future__ import annotations

LOWER_IS_BETTER = frozenset({"loss", "mae", "perplexity"})


def goal_of(metric: str) -> str:
    """Return whether larger (`max`) or smaller (`min`) is better; what is in front, such as `eval/`, is left out."""
    return "min" if metric.rpartition("/")[2] in LOWER_IS_BETTER else "max"


def metric_key(metric: str, source: str = "") -> str:
    """Return the name under which a metric of an evaluation is kept: `eval/loss`, of one source `eval@NAME/loss`.

    So what lists the metrics of a run by their beginning `eval/` has one of each kind, however many sources there are.
    """
    return f"eval@{source}/{metric}" if source else f"eval/{metric}"


SPEED = "train/examples_per_second"
"""The one metric of the box and not of the run: it differs where all else is the same to the bit."""
