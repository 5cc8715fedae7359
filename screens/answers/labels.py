"""Labels with their probabilities, and a value on a scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from screens.answers.layout import MUTED, NAME, Line, blocks, flow, head, indented, judged, marked, untold_words
from screens.answers.reply import Reply, View
from workbench.text import bar, fit, number, plain, signed

_TOP, _MS = 14, 7
_LONGEST_BAR, _SHORTEST_BAR = 20, 4


def scores_of(output: Mapping[str, Any] | None) -> dict[str, float]:
    """Return label → probability, empty where the answer has none."""
    scores = output.get("scores") if output else None
    return {str(label): float(score) for label, score in scores.items()} if isinstance(scores, Mapping) else {}


def labels_of(replies: Sequence[Reply]) -> list[str]:
    """Return the labels that the replies score, in the order of the first that has them."""
    return list(dict.fromkeys(label for reply in replies for label in scores_of(reply.output)))


def label_lines(replies: Sequence[Reply], view: View) -> list[Line]:
    """Return a line for each reply: a bar for each label where they fit, else its answer and the likeliest labels."""
    labels = labels_of(replies)
    each = (view.cells - NAME - _TOP - _MS - 4) // max(1, len(labels)) - 2
    bars = min(_LONGEST_BAR, each - 5)
    columns = labels if bars >= _SHORTEST_BAR else []
    lines: list[Line] = []
    if columns:
        heads = "".join(fit(plain(label), bars + 5) + "  " for label in labels)
        lines.append([(f" {fit('', NAME)} {heads}{fit('says', _TOP)}{fit('ms', _MS, 'right')}", MUTED)])
    for reply in replies:
        lines.append([(f" {fit(reply.title, NAME)} ", ""), *_labels(reply, columns, bars, view)])
    return lines


def _labels(reply: Reply, labels: Sequence[str], bars: int, view: View) -> Line:
    room = view.cells - NAME - 3
    if reply.output is None:
        return [untold_words(reply, room)]
    scores, said = scores_of(reply.output), str(reply.output.get("label", ""))
    words, style = marked(said, None if view.gold is None else said == view.gold, view.ascii, _TOP)
    top, ms = (fit(words, _TOP if labels else _TOP + 2), style), (fit(f"{reply.ms:.0f}", _MS, "right"), MUTED)
    if not labels:
        likely = sorted(scores.items(), key=lambda item: -item[1])[:3]
        shares = "  ".join(f"{plain(label, 16)} {bar(score, 6, view.ascii)} {score:.2f}" for label, score in likely)
        return [top, (fit(shares, max(10, room - _TOP - 2 - _MS)), MUTED), ms]
    parts: Line = []
    for label in labels:
        score = scores.get(label)
        share = "  — " if score is None else f"{score:.2f}"
        parts.append((f"{bar(score, bars, view.ascii)} {share}  ", "bold" if label == said else MUTED))
    return [*parts, top, ms]


def several_lines(replies: Sequence[Reply], view: View) -> list[Line]:
    """Return the labels of each reply that reach the threshold, marked, and the likeliest of the others."""
    return blocks(replies, view, _several)


def _several(reply: Reply, view: View) -> list[Line]:
    assert reply.output is not None
    threshold = float(reply.output.get("threshold", 0.5))
    ranked = sorted(scores_of(reply.output).items(), key=lambda item: -item[1])
    taken = sum(score >= threshold for _, score in ranked)
    sign = "*" if view.ascii else "●"
    units = [
        (
            f"{sign if place < taken else ' '} {plain(label, 16)} {bar(score, 5, view.ascii)} {score:.2f}",
            "bold" if place < taken else MUTED,
        )
        for place, (label, score) in enumerate(ranked[: max(taken + 2, 4)])
    ]
    first = head(reply, view, [judged("multi-label", reply, view, 60)], f"from {threshold:.2f} on")
    return [first, *indented(flow(units, view.cells - 3), 2)]


def value_lines(replies: Sequence[Reply], view: View) -> list[Line]:
    """Return the value that each reply gives, and how far it is from the right one."""
    return blocks(replies, view, _value)


def _value(reply: Reply, view: View) -> list[Line]:
    assert reply.output is not None
    value = reply.output.get("value")
    if not isinstance(value, (int, float)):
        return [head(reply, view, [(plain(reply.pred), "bold")])]
    parts: Line = [(number(float(value)), "bold")]
    if (right := _number(view.gold)) is not None:
        parts.append((f"   {signed(value - right)} from the right one", MUTED))
    return [head(reply, view, parts)]


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None
