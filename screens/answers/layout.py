"""Styled words in lines: wrapping, the first line of a reply, replies below one another."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from textual.content import Content

from screens.answers.reply import Reply, View, is_right
from workbench.text import cut, fit, plain, width

Part = tuple[str, str]
"""A safe text and a style."""

Line = list[Part]
MUTED = "$foreground-muted"
NAME, MS = 22, 9

_ATOM = re.compile(r"\n|[^\S\n]+|\S+")


def wrap(parts: Sequence[Part], cells: int) -> list[Line]:
    """Return safe parts in lines of at most `cells`, broken between words; a word that is longer is broken anywhere."""
    lines: list[Line] = [[]]
    room = cells
    for group in _groups(parts):
        text = "".join(part for part, _ in group)
        if text == "\n":
            lines.append([])
            room = cells
            continue
        if text.isspace():
            if room < cells:
                lines[-1].append((" ", group[0][1]))
                room -= 1
            continue
        if width(text) > room and room < cells:
            _end(lines)
            room = cells
        for part, style in group:
            while part:
                head = cut(part, room + 1).removesuffix("…") if width(part) > room else part
                if not head and room == cells:
                    head = part[0]
                lines[-1].append((head, style))
                part, room = part[len(head) :], room - width(head)
                if part:
                    _end(lines)
                    room = cells
    return lines


def _end(lines: list[Line]) -> None:
    if lines[-1] and lines[-1][-1][0] == " ":
        lines[-1].pop()
    lines.append([])


def _groups(parts: Sequence[Part]) -> Iterator[Line]:
    """Yield what must stand together: the pieces of a word, a blank, the end of a line."""
    word: Line = []
    for text, style in parts:
        for atom in _ATOM.findall(text):
            if not atom.isspace():
                word.append((atom, style))
                continue
            if word:
                yield word
            word = []
            yield [(atom, style)]
    if word:
        yield word


def flow(units: Sequence[Part], cells: int, gap: int = 3) -> list[Line]:
    """Return safe texts beside one another, none of them broken, in lines of at most `cells`."""
    lines: list[Line] = [[]]
    room = cells
    for text, style in units:
        text = cut(text, cells)
        if lines[-1] and width(text) + gap > room:
            lines.append([])
            room = cells
        lead = " " * gap if lines[-1] else ""
        lines[-1] += [(lead, ""), (text, style)] if lead else [(text, style)]
        room -= len(lead) + width(text)
    return lines


def indented(lines: Sequence[Line], by: int = 1) -> list[Line]:
    """Return lines moved to the right."""
    return [[(" " * by, ""), *line] for line in lines]


def content_of(lines: Sequence[Line]) -> Content:
    """Return lines as one text to show."""
    return Content("\n").join(Content.assemble(*line) for line in lines)


def blocks(replies: Sequence[Reply], view: View, body: Callable[[Reply, View], list[Line]]) -> list[Line]:
    """Return what each reply says, below one another; who has not answered has a line that says why."""
    lines: list[Line] = []
    for reply in replies:
        lines += body(reply, view) if reply.output is not None else [untold(reply, view)]
    return lines


def untold(reply: Reply, view: View) -> Line:
    """Return the line of a reply that is a problem, or not there yet."""
    room = view.cells - NAME - 3
    return [(f" {fit(reply.title, NAME)} ", ""), untold_words(reply, room)]


def untold_words(reply: Reply, room: int) -> Part:
    """Return why a reply says nothing."""
    if reply.problem:
        return cut(f"✗ {plain(reply.problem)}", room), "$text-error"
    return cut(plain(reply.waiting), room), MUTED


def head(reply: Reply, view: View, parts: Sequence[Part], detail: str = "") -> Line:
    """Return the first line of a reply: whose it is, what it says in short, and how long it took at the right."""
    told = f"{detail}{' · ' if detail else ''}{reply.ms:.0f} ms"
    room = max(0, view.cells - NAME - 4 - width(told))
    line: Line = [(f" {fit(reply.title, NAME)} ", "")]
    for text, style in parts:
        text = cut(text, room)
        line.append((text, style))
        room -= width(text)
    return [*line, (" " * (room + 1), ""), (told, MUTED)]


def right_lines(view: View) -> list[Line]:
    """Return the right answer, to stand below the others."""
    words = wrap([(plain((view.gold or "").strip("\n"), newlines=True), "")], view.cells - 3)
    return [[(" the right answer", "$text-success")], *indented(words, 2)]


def judged(task: str, reply: Reply, view: View, room: int) -> Part:
    """Return the answer in short with a mark on whether it is right, where that is known."""
    return marked(reply.pred, is_right(task, reply.pred, view.gold), view.ascii, room)


def marked(said: str, right: bool | None, ascii: bool, room: int) -> Part:
    """Return an answer with a mark on whether it is right, in at most `room` cells."""
    if right is None:
        return plain(said, room), "bold"
    signs = ("+", "x") if ascii else ("✓", "✗")
    return f"{plain(said, max(1, room - 2))} {signs[not right]}", "$text-success" if right else "$text-warning"
