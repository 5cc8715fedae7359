"""Texts that models write: whole ones, and ones that are being written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from screens.answers.layout import MUTED, Line, head, indented, right_lines, untold, wrap
from screens.answers.reply import Reply, View
from workbench.text import plain, plural, rate

CURSOR = "▌"


def text_lines(replies: Sequence[Reply], view: View) -> list[Line]:
    """Return the text that each reply has written so far, with how many tokens it took; the right one at the end."""
    lines: list[Line] = []
    for reply in replies:
        if reply.output is not None:
            lines += [head(reply, view, [(_speed(reply), MUTED)]), *_body(_text(reply.output), view)]
        elif reply.written and not reply.problem:
            words = f"{plural(reply.pieces, 'token')} · {_rate(reply.pieces - 1, reply.seconds)} · ^x stops it"
            lines += [head(reply, view, [("writing   ", "$text-accent"), (words, MUTED)])[:-1]]
            lines += _body(reply.written + CURSOR, view)
        else:
            lines.append(untold(reply, view))
    return lines + right_lines(view) if view.gold else lines


def _text(output: Mapping[str, object]) -> str:
    return str(output.get("text", ""))


def _body(text: str, view: View) -> list[Line]:
    return indented(wrap([(plain(text.strip("\n"), newlines=True), "")], view.cells - 3), 2)


def _speed(reply: Reply) -> str:
    """Return how much was written and how fast, and whether a person ended it."""
    written = reply.output.get("written") if reply.output else None
    parts = [plural(written, "token"), _rate(written, reply.ms / 1000)] if isinstance(written, int) else []
    parts += ["stopped"] if reply.stopped else []
    return " · ".join(part for part in parts if part)


def _rate(pieces: int, seconds: float) -> str:
    return rate(pieces / seconds, "tokens/s") if seconds > 0 and pieces > 0 else ""
