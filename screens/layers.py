"""The layer groups of a run as they learn now: as a table beside the chart, or in two lines below it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from screens.feed import Trace
from screens.widgets.words import Part
from workbench.text import cut, fit, number, plain, width

Lines = list[list[Part]]
MOST_ROWS = 6
"""Rows of the table; with more, layers that learn at different rates share one."""

MOST_PARTS = 3
"""Parts of the line; with more, layers that learn at different rates share one."""

MOST_DOTS = 32
_NUMBER = "0123456789 "


@dataclass(frozen=True)
class Layers:
    """Neighbouring groups that learn alike, named from the top down.

    `rate` is what the optimiser takes now, None before the first update; with `below` it is that of the topmost, the
    others take less. `size` and `learning` count weights: all of them, and those that learn when the groups do.
    """

    names: tuple[str, ...]
    trainable: bool
    rate: float | None
    below: bool
    size: int
    learning: int
    share: float

    @property
    def kind(self) -> str:
        """What the topmost is called without its number: layer, encoder, head."""
        return self.names[0].rstrip(_NUMBER)

    @property
    def partly(self) -> bool:
        """Whether only a part of it learns: biases, norms, adapters."""
        return self.trainable and self.learning < self.size

    def name(self) -> str:
        """Return one name: head, layer 5, layers 6-11, encoder 0-5, layer 3 … embeddings."""
        first, last = self.names[0], self.names[-1]
        if first == last:
            return first
        if last.rstrip(_NUMBER) != self.kind:
            return f"{first} … {last}"
        numbers = (name.removeprefix(self.kind).strip() for name in (last, first))
        return f"{'layers' if self.kind == 'layer' else self.kind} {'-'.join(numbers)}"

    def rate_words(self, ascii: bool) -> str:
        """Return the rate now, or that it is frozen."""
        if not self.trainable:
            return "frozen"
        return ("<" if ascii else "≤") * self.below + number(self.rate)


def learning_share(layers: Sequence[Layers]) -> float | None:
    """Return the share of all weights that learn now, None where the run does not say."""
    total = sum(one.size for one in layers)
    return sum(one.learning for one in layers if one.trainable) / total if total else None


def layers_of(trace: Trace) -> list[Layers]:
    """Return each layer group of the newest stage, from the head down."""
    stage = _stage(trace)
    groups = [one for one in stage.get("groups", []) if isinstance(one, dict)]
    factor = _factor(trace)
    return [
        Layers(
            (plain(one.get("name", "?")),),
            bool(one.get("trainable")),
            None if factor is None or one.get("rate") is None else one["rate"] * factor,
            False,
            one.get("size", 0),
            one.get("learning", 0) if one.get("trainable") else 0,
            one.get("share", 0.0),
        )
        for one in reversed(groups)
    ]


def until_words(trace: Trace) -> str:
    """Return when other groups will learn, or nothing where that is not so."""
    return plain(_stage(trace).get("until", ""))


def _stage(trace: Trace) -> dict[str, Any]:
    return next((event.data for event in reversed(trace.events) if event.kind == "stage" and event.data), {})


def _factor(trace: Trace) -> float | None:
    """Return the rate now as a share of the recipe's, at which the stages tell theirs; None where it is not known."""
    _, rates = trace.points("train/rate")
    try:
        peak = float(trace.config.get("training.learning_rate", ""))
    except ValueError:
        return None
    return rates[-1] / peak if rates and rates[-1] is not None and peak else None


def merged(layers: Sequence[Layers], most: int) -> list[Layers]:
    """Return the groups with neighbours of a kind that learn alike as one; at more than `most`, whatever their rate."""
    rows = _merge(layers, lambda one: (one.kind, one.trainable, one.rate if one.trainable else None))
    return rows if len(rows) <= most else _merge(rows, lambda one: (one.kind, one.trainable))


def _merge(layers: Sequence[Layers], alike: Callable[[Layers], object]) -> list[Layers]:
    rows = []
    for _, neighbours in groupby(layers, alike):
        ones = list(neighbours)
        rates = [one.rate for one in ones if one.rate is not None]
        rows.append(
            replace(
                ones[0],
                names=tuple(name for one in ones for name in one.names),
                rate=max(rates, default=None),
                below=len(set(rates)) > 1 or any(one.below for one in ones),
                size=sum(one.size for one in ones),
                learning=sum(one.learning for one in ones),
                share=sum(one.share for one in ones),
            )
        )
    return rows


def table_lines(trace: Trace, *, ascii: bool) -> Lines:
    """Return a table, at most 35 cells wide: each group with its rate, its share of all weights, and how much of it
    learns where that is not all."""
    rows = merged(layers_of(trace), MOST_ROWS)
    if not rows:
        return []
    partly = any(one.partly for one in rows)
    name_cells = 13 if partly else 15
    head = "  " + fit("", name_cells) + fit("rate", 8) + fit("share", 6, "right") + (" learn" if partly else "")
    lines: Lines = [[(head, "$foreground-muted")]]
    for one in rows:
        style = "" if one.trainable else "$foreground-muted"
        cells = fit(one.name(), name_cells) + fit(one.rate_words(ascii), 8) + fit(_percent(one.share), 6, "right")
        learns = fit(_percent(one.learning / one.size) if one.partly else "all", 6, "right") if one.trainable else ""
        dot = (_dots(ascii)[one.trainable] + " ", "$accent" if one.trainable else "$foreground-muted")
        lines.append([dot, (cells + (learns if partly else ""), style)])
    until = until_words(trace)
    return [*lines, [(f"  so {until}", "$foreground-muted")]] if until else lines


def strip_lines(trace: Trace, cells: int, *, active: bool, ascii: bool) -> Lines:
    """Return two lines: a dot for each group with the share of all weights that learns and until when; then what the
    groups that learn are of all, and their rate where not all have the same."""
    layers = layers_of(trace)
    if not layers:
        return []
    share, until = learning_share(layers), until_words(trace)
    learns = "" if share is None else f"{_percent(share)} of the weights learn"
    muted = "$foreground-muted"
    first: list[Part] = [
        ("layers ", muted),
        (_strip(layers, ascii), "$accent" if active else ""),
        (f"  {learns} {until}".rstrip(), muted),
    ]
    rows = _merge(merged(layers, MOST_PARTS), lambda one: one if one.trainable else None)
    alike = len({one.rate for one in rows if one.trainable}) <= 1 and not any(one.below for one in rows)
    told, short = (" · ".join(_part(one, alike, ascii, shares) for one in rows) for shares in (True, False))
    fitting = [words for words in (f"       {told}", told, short) if width(words) <= cells]
    return [first, [(fitting[0] if fitting else cut(short, cells), muted)]]


def _strip(layers: Sequence[Layers], ascii: bool) -> str:
    """Return a dot for each group, or how many of a kind follow one another where there are too many to count."""
    dots = _dots(ascii)
    if len(layers) <= MOST_DOTS:
        return "".join(dots[one.trainable] for one in layers)
    runs = [(on, len(list(ones))) for on, ones in groupby(layers, lambda one: one.trainable)]
    return " ".join(f"{dots[on]}{'x' if ascii else '×'}{many}" for on, many in runs)


def _part(one: Layers, alike: bool, ascii: bool, shares: bool) -> str:
    """Return one part of the line, with its rate unless all have it; with its numbers and share where `shares`."""
    rate = "" if alike or not one.trainable else one.rate_words(ascii)
    learns = f"({_percent(one.learning / one.size)} of it)" if one.partly else ""
    name = one.name() if shares else one.kind
    words = (name if one.trainable else "frozen", rate, *((_percent(one.share), learns) if shares else ()))
    return " ".join(word for word in words if word)


def _dots(ascii: bool) -> tuple[str, str]:
    """Return the signs of a frozen and of a learning group."""
    return (".", "*") if ascii else ("○", "●")


def _percent(share: float) -> str:
    """Return a share in at most five cells: 100 %, 11 %, 0.3 %, <.1 %."""
    value = 100 * share
    if 0 < value < 0.05:
        return "<.1 %"
    return f"{value:.0f} %" if value >= 9.95 or value == 0 else f"{value:.1f} %"
