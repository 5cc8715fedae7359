"""Question answering: the context around the answer, and what else it might be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from screens.answers.layout import MUTED, Line, Part, blocks, flow, head, indented, judged, wrap
from screens.answers.reply import Reply, View
from workbench.text import bar, number, plain

_AROUND = 400
"""How many characters of the context are looked at before and after an answer."""


def span_lines(replies: Sequence[Reply], view: View) -> list[Line]:
    """Return for each reply its answer, the context around it, the chance that there is none, and the next answers."""
    return blocks(replies, view, _span)


def _span(reply: Reply, view: View) -> list[Line]:
    assert reply.output is not None
    output = reply.output
    candidates: list[Mapping[str, Any]] = list(output.get("candidates", ()))
    score = f"  {number(reply.score, 2)}" if reply.score is not None else ""
    lines = [head(reply, view, [judged("question-answering", reply, view, 60), (score, MUTED)])]
    if output.get("answer"):
        lines += indented(_context(output, view), 2)
    others = [one for one in candidates if one.get("text") != output.get("answer")][:2]
    chance = float(output.get("no_answer", 0.0))
    units: list[Part] = [(f"no answer {bar(chance, 5, view.ascii)} {chance:.2f}", MUTED)]
    if others:
        units.append(("next", MUTED))
        units += [(f"{plain(one.get('text', ''), 30)} {float(one.get('score', 0)):.2f}", "") for one in others]
    return [*lines, *indented(flow(units, view.cells - 3), 2)]


def _context(output: Mapping[str, Any], view: View) -> list[Line]:
    """Return the lines of the context in which the answer stands, with one before and one after."""
    context = view.fields.get("context")
    start, end = int(output.get("start", 0)), int(output.get("end", 0))
    if not isinstance(context, str) or not 0 <= start < end <= len(context):
        return []
    before, after = context[max(0, start - _AROUND) : start], context[end : end + _AROUND]
    if start > _AROUND:
        before = "… " + before.partition(" ")[2]
    if end + _AROUND < len(context):
        after = after.rpartition(" ")[0] + " …"
    signs = (">>", "<<") if view.ascii else ("", "")
    answer = f"{signs[0]}{plain(context[start:end])}{signs[1]}"
    lines = wrap([(_flat(before), MUTED), (answer, "reverse"), (_flat(after), MUTED)], view.cells - 3)
    holding = [place for place, line in enumerate(lines) if any(style == "reverse" for _, style in line)]
    return lines[max(0, holding[0] - 1) : holding[-1] + 2]


def _flat(text: str) -> str:
    """Return a text in one line, safe, its line ends as blanks."""
    return plain(" ".join(text.split("\n")))
