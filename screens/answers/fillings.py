"""Masked words: what each mask may be filled with, and the text so filled."""

from __future__ import annotations

from collections.abc import Sequence

from screens.answers.layout import MUTED, Line, Part, blocks, flow, head, indented, wrap
from screens.answers.reply import Reply, View
from workbench.text import bar, plain, plural

_SHOWN = 5


def filling_lines(replies: Sequence[Reply], view: View) -> list[Line]:
    """Return for each reply the likeliest words of every mask and the filled text."""
    return blocks(replies, view, _fillings)


def _fillings(reply: Reply, view: View) -> list[Line]:
    assert reply.output is not None
    masks = list(reply.output.get("fillings", ()))
    if not masks:
        return [head(reply, view, [("no mask in the text: type [MASK] where a word is missing", MUTED)])]
    lines = [head(reply, view, [(plural(len(masks), "mask"), "")])]
    for number, mask in enumerate(masks, 1):
        label = f"  {number}  " if len(masks) > 1 else "  "
        units: list[Part] = [
            (f"{plain(one['text'].strip(), 14)} {bar(one['score'], 4, view.ascii)} {one['score']:.2f}", _style(place))
            for place, one in enumerate(list(mask.get("tokens", ()))[:_SHOWN])
        ]
        for place, line in enumerate(flow(units, view.cells - len(label) - 1, gap=2)):
            lines.append([(label if place == 0 else " " * len(label), MUTED), *line])
    text = plain(str(reply.output.get("filled", "")), newlines=True)
    return [*lines, *indented(wrap([(text, "")], view.cells - 3), 2)]


def _style(place: int) -> str:
    return MUTED if place else "bold"
