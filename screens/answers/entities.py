"""Named entities: the text with each entity coloured and named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from screens.answers.layout import Line, Part, blocks, head, indented, marked, right_lines, wrap
from screens.answers.reply import Reply, View, is_right
from workbench.text import plain, plural

COLOURS = ("$text-accent", "$text-primary", "$text-success", "$text-warning", "$text-secondary", "$text-error")
"""The types take these in the alphabet's order; the name behind each entity tells them without colour."""


def entity_lines(replies: Sequence[Reply], view: View) -> list[Line]:
    """Return for each reply the number of its entities and the text with them: Maria Lund[person] moved."""
    types = sorted({str(one["type"]) for reply in replies for one in _entities(reply.output)})
    colours = {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(types)}
    lines = blocks(replies, view, lambda reply, view: _entity_text(reply, view, colours))
    return lines + right_lines(view) if view.gold else lines


def _entity_text(reply: Reply, view: View, colours: Mapping[str, str]) -> list[Line]:
    assert reply.output is not None
    found = _entities(reply.output)
    said = plural(len(found), "entity", "entities") if found else "no entities"
    words = marked(said, is_right("named-entities", reply.pred, view.gold), view.ascii, 40)
    tokens = [str(token) for token in reply.output.get("tokens", ())]
    parts = list(_parts(tokens, found, colours, _blanks(tokens, view.fields)))
    return [head(reply, view, [words]), *indented(wrap(parts, view.cells - 3), 2)]


def _entities(output: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    return list(output.get("entities", ())) if output else []


def _parts(
    tokens: Sequence[str], found: Sequence[Mapping[str, Any]], colours: Mapping[str, str], blanks: Sequence[str]
) -> Iterator[Part]:
    """Yield the words with what stands between them; an entity has its type behind it."""
    starts = {int(one["start"]): one for one in found}
    ends = {int(one["end"]): one for one in found}
    style = ""
    for number, token in enumerate(tokens):
        if number in starts:
            style = f"bold {colours[str(starts[number]['type'])]}"
        yield plain(token), style
        if number + 1 in ends:
            kind = str(ends[number + 1]["type"])
            yield f"[{plain(kind)}]", colours[kind]
            style = ""
        if number + 1 < len(tokens):
            yield blanks[number], style


def _blanks(tokens: Sequence[str], fields: Mapping[str, Any]) -> list[str]:
    """Return what stands behind each word: as in the text that was asked, a blank where that is not known."""
    for text in fields.values():
        places = _places(tokens, text) if isinstance(text, str) else []
        if places:
            ends = [start + len(token) for start, token in zip(places, tokens, strict=True)]
            return [" " if start > end else "" for end, start in zip(ends, [*places[1:], len(text)], strict=True)]
    return [" "] * len(tokens)


def _places(tokens: Sequence[str], text: str) -> list[int]:
    """Return where each word begins in a text, nothing where one is not in it or more than blanks lie between."""
    places: list[int] = []
    end = 0
    for token in tokens:
        start = text.find(token, end)
        if start < 0 or text[end:start].strip():
            return []
        places.append(start)
        end = start + len(token)
    return places
