"""What the chart of a run shows: which metrics, over steps or time, how smooth."""

from __future__ import annotations

from dataclasses import dataclass

from screens.details import metric_words
from screens.feed import Curve, Trace
from screens.widgets.chart import Series
from store.runs import Run
from workbench.chart.plot import smooth
from workbench.goals import goal_of
from workbench.text import count, number

SERIES = {
    "loss": ("train/loss", "eval/loss"),
    "score": (),
    "learning rate": ("train/rate",),
    "grad norm": ("train/grad_norm",),
    "examples a second": ("train/examples_per_second",),
}
"""What `w` goes through; the score stands for the metrics of the evaluation but its loss."""
AXES = ("step", "time")
SMOOTHINGS = (0.6, 0.9, 0.0)
SMOOTHED = ("train/loss", "train/grad_norm", "train/examples_per_second")


@dataclass
class View:
    """How the chart is set."""

    metrics: str = "loss"
    axis: str = "step"
    log_y: bool = False
    smoothing: float = SMOOTHINGS[0]

    def title(self) -> str:
        """Return the chart's title with what is not usual about it."""
        parts = [self.metrics, "log y" if self.log_y else "", "over time" if self.axis == "time" else ""]
        parts.append(f"smooth {self.smoothing:g}" if self.smoothing else "as logged")
        return " · ".join(part for part in parts if part)

    def series(self, run: Run, trace: Trace | None) -> list[Series]:
        """Return the curves with their newest and best values as labels."""
        if trace is None:
            return []
        names = SERIES[self.metrics] or sorted(
            (name for name in trace.curves if name.startswith("eval/") and name != "eval/loss"),
            key=lambda name: (name != run.goal_key, name),
        )
        known = [(name, trace.curves[name]) for name in names if name in trace.curves]
        return [self._one(name, curve, index, run) for index, (name, curve) in enumerate(known)]

    def _one(self, name: str, curve: Curve, index: int, run: Run) -> Series:
        steps, values = curve.points()
        xs: list[float] = list(steps)
        if self.axis == "time":
            start = curve.times[0] if curve.times else 0.0
            xs = [(then - start) / 60 for then in curve.times[: len(steps)]]
        label = self._label(name, steps, values)
        if self.smoothing and name in SMOOTHED:
            values = smooth(values, self.smoothing)
        dash = "solid" if name.startswith("train/") or index == 0 else "dashed" if index == 1 else "dotted"
        return Series(label, xs, values, f"series-{index % 6 + 1}", dash)  # type: ignore[arg-type]

    def _label(self, name: str, steps: list[int], values: list[float | None]) -> str:
        short = name.partition("/")[0] if self.metrics == "loss" else metric_words(name)
        if not values:
            return short
        label = f"{short} {number(values[-1])}"
        finite = [(value, step) for value, step in zip(values, steps, strict=True) if value is not None]
        if name.startswith("eval/") and finite:
            pick = max if goal_of(name) == "max" else min
            value, step = pick(finite, key=lambda pair: pair[0])
            label += f" (best {number(value)} at {count(step)})"
        return label


def x_range_of(run: Run, axis: str, trace: Trace | None) -> tuple[float, float] | None:
    """Return how far the steps' axis goes: while a run trains, the half, quarter … of it that holds all points.

    So the rows stay still between two doublings, and the curve fills at least half of the width.
    """
    if axis != "step" or not run.active or not run.max_steps:
        return None
    newest = max((curve.steps[-1] for curve in (trace.curves if trace else {}).values() if curve.steps), default=0)
    end = float(run.max_steps)
    while end / 2 >= max(newest, 10):
        end /= 2
    return 0.0, max(end, float(newest))
