"""Texts changed at random: a pure function of the text and of a key, which leaves no text empty and no label behind."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.data.augmentation import KEYS, Unit, augment, cropped, noisy, swapped, thinned, units_of, written
from workbench.data.features import Example
from workbench.recipe.augment import Augment
from workbench.tasks.embeddings import Embeddings
from workbench.tasks.named_entities import NamedEntities
from workbench.tasks.question_answering import QuestionAnswering
from workbench.tasks.text_classification import TextClassification

SHARES = st.floats(0, 0.99)
SETTINGS = st.builds(Augment, delete=SHARES, swap=st.floats(0, 1), crop=st.floats(0.01, 1), noise=SHARES)
TEXTS = st.one_of(
    st.text(),
    st.text(alphabet="ab \n\t.,é\u0301"),
    st.text(alphabet="今日は良い天気です映画"),
    st.text(alphabet="👍🏽👨‍👩‍👧 x\u200d\ufe0f"),
)
ALL = Augment(delete=0.2, swap=0.3, crop=0.6, noise=0.1)
LONG = " ".join(f"word{number}" for number in range(400))


def words(units: list[Unit]) -> list[str]:
    return [unit.text for unit in units]


@given(TEXTS)
def test_a_text_is_its_words_and_blanks(text: str) -> None:
    units = units_of(text)
    assert written(units) == text.lstrip()
    assert all(unit.text and not unit.text.isspace() for unit in units)
    assert [text[unit.start : unit.end] for unit in units] == [unit.text + unit.blank for unit in units]


@given(TEXTS, SETTINGS, st.text())
def test_what_is_changed_depends_on_text_and_key_alone(text: str, settings: Augment, key: str) -> None:
    units = units_of(text)
    changed = augment(units, settings, key)
    random.seed(len(text))
    assert augment(units, settings, key) == changed
    assert bool(changed) == bool(units)
    assert all(unit.text for unit in changed)
    assert {unit.start for unit in changed} <= {unit.start for unit in units}
    written(changed).encode("utf-8", "surrogatepass")


def test_chinese_and_japanese_have_words_without_blanks() -> None:
    assert words(units_of("今日は good天気")) == ["今", "日", "は", "good", "天", "気"]
    assert written(thinned(units_of("今日は良い天気です"), 0.5, random.Random(1))) == "日は気で"


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_shares_are_what_is_asked_for(share: float) -> None:
    units = [unit for _ in range(20) for unit in units_of(LONG)]
    assert len(thinned(units, share, random.Random(1))) / len(units) == pytest.approx(1 - share, abs=0.02)
    moved = sum(
        one.text != other.text for one, other in zip(units, swapped(units, share, random.Random(1)), strict=True)
    )
    assert moved / len(units) == pytest.approx(share, abs=0.02)
    letters = units_of("a" * 10_000)
    typed = noisy(letters, share, random.Random(1))[0].text
    assert sum(char != "a" for char in typed) / len(typed) == pytest.approx(share / 2, abs=0.05)


def test_every_word_can_change_place() -> None:
    assert sorted(words(swapped(units_of(LONG), 1, random.Random(1)))) == sorted(LONG.split())
    assert words(swapped(units_of("a  b c"), 1, random.Random(1))) == ["b", "a", "c"]
    assert written(swapped(units_of("a  b c"), 1, random.Random(1))) == "b  a c"


def test_a_crop_is_a_span_of_the_asked_length() -> None:
    units, lengths = units_of(LONG), set()
    for seed in range(50):
        found = [unit.start for unit in cropped(units, 0.5, random.Random(seed))]
        places = [unit.start for unit in units]
        first = places.index(found[0])
        assert found == places[first : first + len(found)]
        lengths.add(len(found))
    assert min(lengths) >= 200
    assert max(lengths) <= 400
    assert len(lengths) > 20


def test_slips_are_to_keys_beside() -> None:
    assert set(KEYS["g"]) == set("fhtyvb")
    assert set(KEYS["q"]) == set("wa")
    typed = noisy(units_of("G" * 200), 0.9, random.Random(1))[0].text
    assert set(typed) <= set("GFHTYVB")
    assert set(noisy(units_of("天気" * 50), 0.9, random.Random(1))[0].text) <= set("天気")


def test_one_more_way_of_change_leaves_the_others_as_they_are() -> None:
    units = units_of(LONG)
    alone = augment(units, Augment(delete=0.3), "key")
    both = augment(units, Augment(delete=0.3, noise=0.2), "key")
    assert [unit.start for unit in both] == [unit.start for unit in alone]


@given(SETTINGS, st.integers(0, 1000))
def test_what_is_kept_stays_as_it_is_and_in_one_piece(settings: Augment, seed: int) -> None:
    units = [Unit(f"w{number}", " ", number * 3, kept=7 <= number < 11) for number in range(20)]
    changed = augment(units, settings, str(seed))
    kept = [number for number, unit in enumerate(changed) if unit.kept]
    assert [changed[number] for number in kept] == units[7:11]
    assert kept == list(range(kept[0], kept[0] + 4))


def entities() -> tuple[NamedEntities, Example]:
    row = {
        "tokens": ["Ann", "Lee", "met", "Bob", "Dole", "and", "Kim", "near", "New", "York", "City", "on", "Monday"],
        "tags": ["B-per", "I-per", "O", "B-per", "I-per", "O", "B-per", "O", "B-loc", "I-loc", "I-loc", "O", "O"],
    }
    task = NamedEntities.learn(NamedEntities.Options(name="named-entities"), [row], [])
    return task, task.example(row)


@given(SETTINGS, st.integers(0, 1000))
def test_tags_move_with_their_words(settings: Augment, seed: int) -> None:
    task, example = entities()
    units = augment(task.passages(example)["tokens"], settings, str(seed))
    new = task.rewritten(example, {"tokens": units})
    assert len(new.gold) == len(new.fields["tokens"]) == len(units)
    kinds = [task.labels[tag].rpartition("-")[2] for tag in example.gold]
    assert [task.labels[tag].rpartition("-")[2] for tag in new.gold] == [kinds[unit.start] for unit in units]
    # Words of one entity stay one, those of two neighbours stay two.
    groups = [unit.group for unit in units if unit.group]
    begins = sum(task.labels[tag].startswith("B-") for tag in new.gold)
    assert begins == len(set(groups))
    assert groups == sorted(groups)


def test_two_entities_that_meet_stay_two() -> None:
    task, example = entities()
    units = task.passages(example)["tokens"]
    met = [units[0], units[1], units[4], units[6]]
    new = task.rewritten(example, {"tokens": met})
    assert [task.labels[tag] for tag in new.gold] == ["B-per", "I-per", "B-per", "B-per"]
    assert new.fields["tokens"] == ["Ann", "Lee", "Dole", "Kim"]


def test_a_tagged_text_becomes_its_words() -> None:
    row = {"tokens": "Ann (of Bonn) waves.", "tags": [[0, 3, "per"], [8, 12, "loc"]]}
    task = NamedEntities.learn(NamedEntities.Options(name="named-entities"), [row], [])
    example = task.example(row)
    units = task.passages(example)["tokens"]
    assert words(units) == ["Ann", "(", "of", "Bonn", ")", "waves", "."]
    new = task.rewritten(example, {"tokens": [*units[:1], *units[2:4]]})
    assert (new.fields["tokens"], [task.labels[tag] for tag in new.gold]) == (
        ["Ann", "of", "Bonn"],
        ["B-per", "O", "B-loc"],
    )


CONTEXTS = st.lists(st.text(alphabet="abc .,今\n", min_size=1, max_size=12), min_size=3, max_size=5)


@given(CONTEXTS, st.integers(0, 4), SETTINGS, st.integers(0, 100))
def test_an_answer_stands_where_its_place_says(parts: list[str], which: int, settings: Augment, seed: int) -> None:
    which %= len(parts)
    context, start = "".join(parts), len("".join(parts[:which]))
    gold = {"text": [parts[which], context[start : start + 1]], "answer_start": [start, start]}
    task = QuestionAnswering(QuestionAnswering.Options(name="question-answering"), {"unanswerable": False})
    example = Example({"question": "who is it ?", "context": context}, gold)
    passages = {role: augment(units, settings, f"{seed} {role}") for role, units in task.passages(example).items()}
    new = task.rewritten(example, passages)
    for text, place in zip(new.gold["text"], new.gold["answer_start"], strict=True):
        assert new.fields["context"][place : place + len(text)] == text


def test_a_question_without_an_answer_has_none_afterwards() -> None:
    task = QuestionAnswering(QuestionAnswering.Options(name="question-answering"), {"unanswerable": True})
    example = Example({"question": "who ?", "context": "a b c"}, {"text": [], "answer_start": []})
    units = task.passages(example)["context"]
    assert task.rewritten(example, {"context": units[1:2]}) == Example(
        {"question": "who ?", "context": "b "}, example.gold
    )


def test_both_texts_of_a_pair_change_and_the_label_does_not() -> None:
    for task, gold in (
        (TextClassification(TextClassification.Options(name="text-classification"), {"labels": ["a", "b"]}), 1),
        (Embeddings(Embeddings.Options(name="embeddings"), {"corpus": []}), "the negative"),
    ):
        example = Example({"text": LONG, "pair": LONG[:800]}, gold, row=4, source="here")
        passages = {role: augment(units, ALL, role) for role, units in task.passages(example).items()}
        new = task.rewritten(example, passages)
        assert set(new.fields) == {"text", "pair"}
        assert all(new.fields[role] != example.fields[role] for role in new.fields)
        assert (new.gold, new.row, new.source) == (gold, 4, "here")


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ({"task": "instructions", "augment": {"swap": 0.1}}, "augment.swap: not for instructions"),
        ({"task": "masked-pretraining", "augment": {"noise": 0.1}}, "augment.noise: not for masked pretraining"),
        ({"task": "translation", "augment": {"delete": 0.1}}, "augment.delete: not for translation"),
        ({"task": "named-entities", "augment": {"translated": 0.1}}, "augment.translated: not for named entities"),
        ({"task": "question-answering", "augment": {"translated": 0.1}}, "augment.translated: not for question"),
        ({"task": "sentiment", "augment": {"masked": 0.1}}, "augment.masked_model: size:tiny has no weights"),
        ({"task": "sentiment", "augment": {"translated": 0.1, "there": "m"}}, "augment.back: missing"),
    ],
)
def test_what_would_break_an_answer_is_refused(tables: dict[str, Any], words: str) -> None:
    from workbench.errors import WorkbenchError
    from workbench.recipe import parse

    with pytest.raises(WorkbenchError) as refusal:
        parse({"data": "x.csv", "backbone": "size:tiny", "strategy": "full", **tables})
    assert refusal.value.what.startswith(words)
