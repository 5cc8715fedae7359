"""Tags: every scheme says the same of the words, and the reading of odd ones is seqeval's."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from workbench.data.features import RowProblem
from workbench.tasks.tags import (
    Entity,
    Span,
    as_bio,
    bio_labels,
    entities_of,
    illegal_starts,
    marks_of,
    scheme_of,
    strict_bio,
    tags_of_spans,
)
from workbench.tasks.words import cut_words

KINDS = ("person", "creative-work", "x")
SAME = {
    "IOB2": ["B-x", "I-x", "B-x", "O", "B-person", "B-x", "I-x", "I-x"],
    "IOB1": ["I-x", "I-x", "B-x", "O", "I-person", "I-x", "I-x", "I-x"],
    "IOBES": ["B-x", "E-x", "S-x", "O", "S-person", "B-x", "I-x", "E-x"],
    "BILOU": ["B-x", "L-x", "U-x", "O", "U-person", "B-x", "I-x", "L-x"],
}
ANY_BIO = some.lists(some.sampled_from(["O", *(f"{prefix}-{kind}" for prefix in "BI" for kind in KINDS)]))


def written(entities: list[Entity], count: int, scheme: str) -> list[str]:
    """Return the tags of some entities in a scheme."""
    one, first, inner, last = {"IOBES": "SBIE", "BILOU": "UBIL"}.get(scheme, "BBII")
    tags = ["O"] * count
    for kind, start, end in entities:
        prefixes = one if end - start == 1 else first + inner * (end - start - 2) + last
        if scheme == "IOB1" and tags[start - 1][2:] != kind:
            prefixes = "I" * (end - start)
        tags[start:end] = [f"{prefix}-{kind}" for prefix in prefixes]
    return tags


@some.composite
def sentences(draw: some.DrawFn) -> tuple[int, list[Entity]]:
    """Return how many words there are, one of them before the first entity, and the entities."""
    count, entities = 1, []
    for gap, length, kind in draw(
        some.lists(some.tuples(some.integers(0, 2), some.integers(1, 4), some.sampled_from(KINDS)))
    ):
        entities.append(Entity(kind, count + gap, count + gap + length))
        count += gap + length
    return count, entities


@pytest.mark.parametrize("scheme", SAME)
def test_each_scheme_is_recognised_and_reads_the_same(scheme: str) -> None:
    assert scheme_of([["O"], SAME[scheme]]) == scheme
    assert as_bio(SAME[scheme], scheme) == SAME["IOB2"]


@settings(deadline=None)
@given(sentences(), some.sampled_from(["IOB2", "IOB1", "IOBES", "BILOU"]))
def test_entities_come_back_from_each_scheme(sentence: tuple[int, list[Entity]], scheme: str) -> None:
    count, entities = sentence
    bio = as_bio(written(entities, count, scheme), scheme)
    assert entities_of(bio) == entities
    assert illegal_starts(bio) == []
    assert bio == written(entities, count, "IOB2")


def test_types_without_prefix_are_runs_of_one_type() -> None:
    tags = ["person", "person", "O", "E-mail", "place", "place"]
    assert scheme_of([tags]) == "types"
    assert as_bio(tags, "types") == ["B-person", "I-person", "O", "B-E-mail", "B-place", "I-place"]


@pytest.mark.parametrize(
    ("rows", "scheme"),
    [
        ([["O", "B-x", "I-x"], ["I-x"]], "IOB2"),
        ([["O", "I-x"], ["I-x", "B-x"]], "IOB1"),
        ([["I-x", "I-x"]], "IOB1"),
        ([["O", "I-x", "O", "B-x"]], "IOB2"),
        ([["O"], ["O", "O"]], "IOB2"),
        ([["S-x"]], "IOBES"),
        ([["U-x"]], "BILOU"),
    ],
)
def test_odd_files_are_recognised(rows: list[list[str]], scheme: str) -> None:
    assert scheme_of(rows) == scheme


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([["B-x", "person"]], "both 'B-x' and 'person'"),
        ([["S-x"], ["L-x"]], "both IOBES and BILOU"),
        ([["B-"], ["B-x"]], "both 'B-x' and 'B-'"),
    ],
)
def test_tags_of_no_scheme_are_refused(rows: list[list[str]], words: str) -> None:
    with pytest.raises(RowProblem, match=words):
        scheme_of(rows)


def test_a_tag_that_cannot_be_read_is_named_with_its_word() -> None:
    with pytest.raises(RowProblem, match="has 'person' as tag of word 3"):
        as_bio(["O", "B-x", "person"], "IOB2")


def test_starts_that_are_none_are_found() -> None:
    assert illegal_starts(["I-x", "I-x", "O", "I-x", "B-y", "I-x", "I-x", "B-x", "I-x"]) == [0, 3, 5]
    assert illegal_starts([]) == []


@settings(deadline=None)
@given(some.lists(ANY_BIO, min_size=1))
def test_both_readings_are_those_of_seqeval(rows: list[list[str]]) -> None:
    from seqeval.metrics.sequence_labeling import get_entities
    from seqeval.scheme import IOB2, Tokens

    for tags in rows:
        legal, strict = as_bio(tags, "IOB2"), strict_bio(tags)
        assert illegal_starts(legal) == illegal_starts(strict) == []
        assert entities_of(legal) == [(kind, start, end + 1) for kind, start, end in get_entities(tags)]
        if tags:
            assert entities_of(strict) == [(each.tag, each.start, each.end) for each in Tokens(tags, IOB2).entities]
        assert [tag for tag, before in zip(legal, tags, strict=True) if tag[1:] != before[1:]] == []


def test_labels_are_o_and_a_pair_for_each_type_in_order() -> None:
    assert bio_labels({"b", "a"}) == ["O", "B-a", "I-a", "B-b", "I-b"]


TEXT = "Ann Lee's trip to (East) Berlin."


@pytest.mark.parametrize(
    "marks",
    [
        [[0, 7, "person"], [18, 31, "place"]],
        [{"start": 18, "end": 31, "label": "place"}, {"start": 0, "end": 7, "label": "person"}],
        [{"start": 0, "end": 7, "type": "person"}, {"start": 18, "end": 31, "tag": "place", "label": None}],
        [(0, 8), (17, 31)],
    ],
)
def test_spans_become_tags(marks: list[object]) -> None:
    if isinstance(marks[0], tuple):
        marks = [[0, 7, "person"], [17, 31, "place"]]  # a blank at the edge is no part of a word
    spans = marks_of({"tokens": TEXT, "tags": marks})
    assert isinstance(spans, tuple)
    words = cut_words(TEXT)
    tags = tags_of_spans(spans, TEXT, words)
    told = {TEXT[words[start][0] : words[end - 1][1]]: kind for kind, start, end in entities_of(tags)}
    assert told == {"Ann Lee": "person", "(East) Berlin": "place"}


@pytest.mark.parametrize(
    ("span", "words"),
    [
        ((0, 6, "x"), "marks 'Ann Le' \\(0 to 6\\), a part of 'Ann Lee'"),
        ((1, 3, "x"), "marks 'nn' \\(1 to 3\\), a part of 'Ann'"),
        ((3, 4, "x"), "marks 3 to 4, where no word is"),
        ((0, 99, "x"), "marks 0 to 99 in a text of 32 characters"),
        ((-3, 3, "x"), "marks -3 to 3 in a text"),
        ((7, 7, "x"), "marks 7 to 7 in a text"),
        ((4, 7, "x"), "marks 'Lee' \\(4 to 7\\) within another entity"),
    ],
)
def test_a_span_that_is_no_words_is_refused(span: tuple[int, int, str], words: str) -> None:
    spans = [Span(0, 7, "person"), Span(*span)] if span[:2] == (4, 7) else [Span(*span)]
    with pytest.raises(RowProblem, match=words):
        tags_of_spans(spans, TEXT, cut_words(TEXT))


@pytest.mark.parametrize(
    ("row", "marks"),
    [
        ({"tags": "B-x O  O"}, ["B-x", "O", "O"]),
        ({"tags": '["B-x", "O"]'}, ["B-x", "O"]),
        ({"tags": [3, 0, 1.0]}, ["3", "0", "1"]),
        ({"tags": '[[0, 3, "x"]]', "tokens": "Ann"}, (Span(0, 3, "x"),)),
        ({"tags": [], "tokens": "Ann"}, ()),
        ({"tags": [], "tokens": []}, []),
        ({"tags": None}, None),
        ({}, None),
    ],
)
def test_marks_are_read_in_each_form(row: dict[str, object], marks: object) -> None:
    assert marks_of(row) == marks


@pytest.mark.parametrize("mark", [[0, 3], {"start": 0, "end": 3}, [0.0, 3, "x"], ["0", 3, "x"], [0, 3, " "], [0, 3, 4]])
def test_a_span_without_its_parts_is_refused(mark: object) -> None:
    with pytest.raises(RowProblem, match="has no start, end and label in entity 2"):
        marks_of({"tokens": "Ann", "tags": [[0, 3, "x"], mark]})
    with pytest.raises(RowProblem, match="holds int, neither tags nor spans"):
        marks_of({"tags": 3})
