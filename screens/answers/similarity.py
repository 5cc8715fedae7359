"""Embeddings: how near texts are to one another, and what is nearest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from screens.answers.layout import MUTED, Line, blocks, head
from screens.answers.reply import Reply, View
from workbench.text import bar, fit, plain

_BAR, _NUMBER, _LEAST_TEXT = 20, 6, 16


def similarity_lines(replies: Sequence[Reply], view: View) -> list[Line]:
    """Return for each reply the cosine of the pair, a table of several texts, or the nearest texts of the corpus."""
    return blocks(replies, view, _similarity)


def _similarity(reply: Reply, view: View) -> list[Line]:
    assert reply.output is not None
    output = reply.output
    cosine = output.get("similarity")
    if isinstance(cosine, (int, float)):
        words = f"cosine {bar(float(cosine), _BAR, view.ascii)} {_cosine(cosine)}"
        return [head(reply, view, [(words, "bold")])]
    texts = [str(text) for text in output.get("texts", ())]
    if len(texts) > 1:
        return [head(reply, view, [("cosines", "")]), *_matrix(texts, output.get("matrix", ()), view)]
    found = list(output.get("neighbours", ()))
    told = "nearest of the corpus" if found else "no corpus to look in: give a second text"
    return [head(reply, view, [(told, "" if found else MUTED)]), *_neighbours(found, view)]


def _matrix(texts: Sequence[str], matrix: Sequence[Sequence[float]], view: View) -> list[Line]:
    """Return a line for each text: its number, its beginning, and how near it is to each of the others."""
    columns = max(1, min(len(texts), (view.cells - _LEAST_TEXT - 6) // _NUMBER))
    room = max(_LEAST_TEXT, view.cells - 6 - columns * _NUMBER)
    heads = "".join(fit(str(number), _NUMBER, "right") for number in range(1, columns + 1))
    lines: list[Line] = [[(" " * (room + 5) + heads, MUTED)]]
    for number, (text, row) in enumerate(zip(texts, matrix, strict=False), 1):
        line: Line = [(f"  {fit(str(number), 2, 'right')} ", MUTED), (fit(plain(text), room), "")]
        line += [
            (fit(_cosine(value), _NUMBER, "right"), MUTED if other == number else "")
            for other, value in enumerate(row[:columns], 1)
        ]
        lines.append(line)
    return lines


def _neighbours(found: Sequence[Mapping[str, Any]], view: View) -> list[Line]:
    lines: list[Line] = []
    for one in found:
        score = float(one.get("score", 0.0))
        lead = f"  {_cosine(score)} {bar(score, 6, view.ascii)} "
        lines.append([(lead, MUTED), (plain(one.get("text", ""), max(8, view.cells - len(lead) - 1)), "")])
    return lines


def _cosine(value: float) -> str:
    return f"{value:.2f}"
