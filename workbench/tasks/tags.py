"""Tags of words: the schemes in which files write them, read as BIO, and the entities that they mark."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from workbench.data.features import RowProblem
from workbench.tasks.labels import label_text

OUTSIDE = "O"
PREFIXED = re.compile(r"([BIESLU])-(.+)", re.DOTALL)
KIND_KEYS = ("label", "type", "entity", "tag")
"""What a span's own table may call the type of its entity."""


SPAN_HINT = "Entities begin and end with a word; start and end count characters from 0, the end not included."


class Entity(NamedTuple):
    """Some words of one type: the number of the first, and of the one after the last."""

    kind: str
    start: int
    end: int


class Span(NamedTuple):
    """A stretch of a text, in characters, of one type."""

    start: int
    end: int
    kind: str


def scheme_of(sequences: Iterable[Sequence[str]]) -> str:
    """Return in which scheme tags are written: IOB2, IOB1, IOBES, BILOU, or `types` where they have no prefix.

    IOB1 and IOB2 have the same tags: in IOB1 an entity starts with B only right after another of its type, so there
    are starts with I, and no B elsewhere. Raise a RowProblem where the tags fit no scheme.
    """
    lists = list(sequences)
    found = dict.fromkeys(tag for tags in lists for tag in tags if tag != OUTSIDE)
    prefixes = {match[1] for tag in found if (match := PREFIXED.fullmatch(tag))}
    bare = next((tag for tag in found if not PREFIXED.fullmatch(tag)), None)
    if bare is not None:
        if prefixes & {"B", "I"}:
            prefixed = next(tag for tag in found if PREFIXED.fullmatch(tag))
            raise RowProblem(
                f"holds both {prefixed!r} and {bare!r}: tags with and without a prefix", "tags", code="broken-tags"
            )
        return "types"
    if prefixes & {"E", "S"} and prefixes & {"L", "U"}:
        raise RowProblem("holds tags of both IOBES and BILOU", "tags", code="broken-tags")
    if prefixes & {"E", "S"}:
        return "IOBES"
    if prefixes & {"L", "U"}:
        return "BILOU"
    return "IOB1" if any(map(illegal_starts, lists)) and not any(map(_lone_begins, lists)) else "IOB2"


def illegal_starts(tags: Sequence[str]) -> list[int]:
    """Return the places, from 0, of an I- that goes on with nothing: after no entity, or one of another type."""
    before = [OUTSIDE, *tags]
    return [place for place, tag in enumerate(tags) if tag[:2] == "I-" and before[place] not in (tag, f"B-{tag[2:]}")]


def as_bio(tags: Sequence[str], scheme: str) -> list[str]:
    """Return tags of a scheme as BIO: an entity is a B- and any number of I-.

    An I- that goes on with nothing starts an entity, as conlleval and seqeval read it. Raise a RowProblem that names
    the word where a tag has no prefix.
    """
    bio: list[str] = []
    going: str | None = None
    for number, tag in enumerate(tags, 1):
        if tag == OUTSIDE:
            bio.append(OUTSIDE)
            going = None
            continue
        prefix, kind = ("I", tag) if scheme == "types" else _parted(tag, number)
        bio.append(f"{'I' if kind == going and prefix in 'IEL' else 'B'}-{kind}")
        going = None if prefix in "ESLU" else kind
    return bio


def strict_bio(tags: Sequence[str]) -> list[str]:
    """Return BIO tags in which an I- that goes on with nothing is no entity, as seqeval's strict mode reads it."""
    legal: list[str] = []
    for tag in tags:
        before = legal[-1] if legal else OUTSIDE
        legal.append(OUTSIDE if tag[:2] == "I-" and before not in (tag, f"B-{tag[2:]}") else tag)
    return legal


def entities_of(bio: Sequence[str]) -> list[Entity]:
    """Return the entities that legal BIO tags mark, in the order of the words."""
    starts = [place for place, tag in enumerate(bio) if tag[:2] == "B-"]
    entities = []
    for start in starts:
        end = start + 1
        while end < len(bio) and bio[end][:2] == "I-":
            end += 1
        entities.append(Entity(bio[start][2:], start, end))
    return entities


def bio_labels(kinds: Iterable[str]) -> list[str]:
    """Return the tags of some types: O, then B- and I- of each type in the alphabet's order."""
    return [OUTSIDE, *(f"{prefix}-{kind}" for kind in sorted(kinds) for prefix in "BI")]


def marks_of(row: dict[str, Any]) -> list[str] | tuple[Span, ...] | None:
    """Return the tags of a row as a list, or its spans as a tuple; None where it has neither.

    Tags may be one text with blanks between. Beside a text, a list with nothing in it has no span.
    """
    marks = listed(row.get("tags"))
    if marks is None:
        return None
    if isinstance(marks, str):
        marks = marks.split()
    if not isinstance(marks, list):
        raise RowProblem(f"holds {type(marks).__name__}, neither tags nor spans", "tags", code="span-off-words")
    if any(isinstance(mark, (dict, list)) for mark in marks) or (not marks and isinstance(row.get("tokens"), str)):
        return tuple(_span(mark, number) for number, mark in enumerate(marks, 1))
    return [label_text(mark) for mark in marks]


def listed(value: Any) -> Any:
    """Return the list that a text in JSON is; anything else as it is."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def tags_of_spans(spans: Sequence[Span], text: str, words: Sequence[tuple[int, int]]) -> list[str]:
    """Return the BIO tags of the words (start, end) of a text whose spans are entities.

    Raise a RowProblem where a span begins or ends within a word, or two spans meet in one.
    """
    tags = [OUTSIDE] * len(words)
    for start, end, kind in spans:
        where = f"{start} to {end}"
        if not 0 <= start < end <= len(text):
            raise RowProblem(
                f"marks {where} in a text of {len(text)} characters", "tags", SPAN_HINT, code="span-off-words"
            )
        within = [number for number, (first, last) in enumerate(words) if first < end and last > start]
        if not within:
            raise RowProblem(f"marks {where}, where no word is", "tags", SPAN_HINT, code="span-off-words")
        first, last = words[within[0]][0], words[within[-1]][1]
        if first < start or last > end:
            cut = f"marks {text[start:end]!r} ({where}), a part of {text[first:last]!r}"
            raise RowProblem(cut, "tags", SPAN_HINT, code="span-off-words")
        if any(tags[number] != OUTSIDE for number in within):
            raise RowProblem(
                f"marks {text[start:end]!r} ({where}) within another entity", "tags", code="span-off-words"
            )
        tags[within[0] : within[-1] + 1] = [f"B-{kind}", *[f"I-{kind}"] * (len(within) - 1)]
    return tags


def _span(mark: Any, number: int) -> Span:
    """Return the span that [start, end, type] or a table with such keys is."""
    if isinstance(mark, dict):
        mark = [mark.get("start"), mark.get("end"), next((mark[key] for key in KIND_KEYS if mark.get(key)), None)]
    fits = isinstance(mark, list) and len(mark) == 3 and all(type(place) is int for place in mark[:2])
    if not fits or not isinstance(mark[2], str) or not mark[2].strip():
        raise RowProblem(f"has no start, end and label in entity {number}", "tags", code="broken-tags")
    return Span(mark[0], mark[1], mark[2].strip())


def _lone_begins(tags: Sequence[str]) -> list[int]:
    before = [OUTSIDE, *tags]
    return [place for place, tag in enumerate(tags) if tag[:2] == "B-" and before[place][2:] != tag[2:]]


def _parted(tag: str, number: int) -> tuple[str, str]:
    match = PREFIXED.fullmatch(tag)
    if match is None:
        raise RowProblem(
            f"has {tag!r} as tag of word {number}, which is not O and has no prefix such as B-",
            "tags",
            code="broken-tags",
        )
    return match[1], match[2]
