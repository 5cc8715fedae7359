"""Several sets trained on together: each with its own columns, format, labels and weight, and results of its own."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.writing import WRITERS, write
from tests.making import tiny_backbone, toy_rows
from tests.training.support import recipe_of, run_of
from workbench.data.batching import plan_rows, sample_each, seen_rows
from workbench.data.doctor import doubts, examine
from workbench.data.prepare import Prepared, prepare, rows_seen
from workbench.errors import WorkbenchError
from workbench.recipe import loads, overlay, parse
from workbench.training.events import Evaluated, Started
from workbench.training.job import build

BASE = {"task": "sentiment", "backbone": "size:tiny", "strategy": "full", "seed": 3}


def stars(count: int, first: int = 500) -> list[dict[str, Any]]:
    """Return the toy rows under other names: `review` and `stars`, 1 and 5."""
    names = {"good": 5, "bad": 1}
    return [{"review": row["text"], "stars": names[row["label"]]} for row in toy_rows(first + count)[first:]]


RENAMED = {"columns": {"text": "review", "label": "stars"}, "labels": {"1": "bad", "5": "good"}}


def prepared(folder: Path, main: list[dict[str, Any]], *also: dict[str, Any], **data: Any) -> Prepared:
    """Prepare rows with more sets; `rows` of a set are written as `format` says."""
    base = {key: data.pop(key) for key in ("task",) if key in data}
    sets = []
    for number, each in enumerate(also):
        form = each.get("format", "jsonl")
        file = write(folder / f"also-{number}.{form}", WRITERS[form](each["rows"]))
        sets.append({"train": str(file), **{key: each[key] for key in ("weight", "columns", "labels") if key in each}})
    file = write(folder / "main.jsonl", WRITERS["jsonl"](main))
    return prepare(parse({**BASE, **base, "data": {"train": str(file), "also": sets, **data}}), folder / "cache")


def sources(examples: Any) -> Counter[str]:
    return Counter(example.source for example in examples)


@pytest.mark.parametrize("form", ["csv", "tsv", "json", "jsonl", "parquet"])
def test_a_set_of_another_format_with_other_names_is_read(tmp_path: Path, form: str) -> None:
    data = prepared(tmp_path, toy_rows(40), {"rows": stars(20), "format": form, **RENAMED})
    assert data.task.learned["labels"] == ["bad", "good"]
    assert sources(data.train) == {"main": 36, "also-0": 18}
    assert sources(data.validation) == {"main": 4, "also-0": 2}
    right = {row["text"]: row["label"] for row in toy_rows(520)}
    assert all(data.task.gold_words(each) == right[each.fields["text"]] for each in data.train + data.validation)
    assert "also-0: 2 of 20 rows are set aside for evaluation" in data.notes
    assert "also-0: 18 rows" in data.notes


def test_one_set_is_read_as_before_whatever_its_weight(tmp_path: Path) -> None:
    alone, weighted = prepared(tmp_path, toy_rows(40)), prepared(tmp_path, toy_rows(40), weight=2.5)
    assert sources(alone.train) == {"": 36}
    assert alone.fingerprint == weighted.fingerprint
    assert (rows_seen(alone), rows_seen(weighted)) == (36, 90)


def test_the_fingerprint_knows_of_every_set(tmp_path: Path) -> None:
    more = [[], [{"rows": stars(20), **RENAMED}], [{"rows": stars(20, 501), **RENAMED}]]
    made = [
        prepared(tmp_path / str(place), toy_rows(40), *also).fingerprint for place, also in enumerate([*more, more[1]])
    ]
    assert made[1] == made[3]
    assert len(set(made)) == 3


def test_sets_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / name / "rows.jsonl", WRITERS["jsonl"](toy_rows(30)))
    also = [{"train": str(tmp_path / "b" / "rows.jsonl")}]
    data = prepare(parse({**BASE, "data": {"train": str(tmp_path / "a" / "rows.jsonl"), "also": also}}), tmp_path)
    assert [each.name for each in data.sets] == ["rows", "rows-2"]


def test_a_set_brings_its_own_evaluation_rows(tmp_path: Path) -> None:
    write(tmp_path / "more" / "train.csv", WRITERS["csv"](toy_rows(30)))
    write(tmp_path / "more" / "dev.csv", WRITERS["csv"](toy_rows(36)[30:]))
    main = write(tmp_path / "main.jsonl", WRITERS["jsonl"](toy_rows(20)))
    table = {"train": str(main), "also": [{"train": str(tmp_path / "more")}]}
    data = prepare(parse({**BASE, "data": table}), tmp_path)
    assert sources(data.train) == {"main": 18, "more": 30}
    assert sources(data.validation) == {"main": 2, "more": 6}
    held_out = write(tmp_path / "held-out.jsonl", WRITERS["jsonl"](toy_rows(8)))
    named = prepare(parse({**BASE, "data": table | {"validation": str(held_out)}}), tmp_path)
    assert sources(named.train) == {"main": 20, "more": 30}
    assert sources(named.validation) == {"main": 8}


def test_numbers_of_each_set_have_their_own_names(tmp_path: Path) -> None:
    for name, labels in (("a", "bad\ngood\n"), ("b", "good\nbad\n")):
        rows = [{"text": row["text"], "label": int((row["label"] == "good") == (name == "a"))} for row in toy_rows(20)]
        write(tmp_path / name / "train.jsonl", WRITERS["jsonl"](rows))
        write(tmp_path / name / "labels.txt", labels)
    table = {"train": str(tmp_path / "a"), "also": [{"train": str(tmp_path / "b")}]}
    data = prepare(parse({**BASE, "data": table}), tmp_path)
    right = {row["text"]: row["label"] for row in toy_rows(20)}
    assert {data.task.gold_words(each) == right[each.fields["text"]] for each in data.train} == {True}
    assert [note for note in data.notes if "names" in note] == [
        "a: labels.txt beside the data names the labels",
        "b: labels.txt beside the data names the labels",
    ]


def test_labels_that_do_not_fit_name_the_set(tmp_path: Path) -> None:
    with pytest.raises(WorkbenchError) as refusal:
        prepared(tmp_path, toy_rows(20), {"rows": stars(20), "columns": RENAMED["columns"]})
    assert refusal.value.what == "its labels (1, 5) are none of those of the sets before it (bad, good)"
    assert refusal.value.where == f"data.also.0: {tmp_path / 'also-0.jsonl'}"
    assert refusal.value.hint == 'Say which is which: labels = { "1" = "bad", … }.'


def test_a_label_that_one_set_adds_and_one_that_is_renamed_in_vain_are_told(tmp_path: Path) -> None:
    more = [*stars(20), {"review": "so so", "stars": 3}, {"review": "well well", "stars": 3}]
    labels = {**RENAMED["labels"], "3": "neutral", "4": "nice"}
    data = prepared(tmp_path, toy_rows(20), {"rows": more * 3, "columns": RENAMED["columns"], "labels": labels})
    assert "also-0: adds the labels neutral" in data.notes
    assert "also-0: no row has the labels 4 that are to be renamed" in data.notes


@pytest.mark.parametrize(
    ("also", "words"),
    [
        ({"rows": stars(20)}, "cannot tell which column is the label"),
        ({"rows": stars(20), "columns": {"text": "reviw"}}, "no column 'reviw'; did you mean \"review\"?"),
        ({"rows": [*stars(20), {"review": "", "stars": 1}], **RENAMED}, "row 21: column 'review' is empty"),
        ({"rows": [*stars(20), {"review": "x", "stars": [1]}], **RENAMED}, "row 21: column 'stars' holds list"),
        ({"rows": [{"review": "x", "stars": 5}], **RENAMED}, "too few rows to set some aside for evaluation"),
    ],
)
def test_what_is_wrong_with_a_set_names_its_file(tmp_path: Path, also: dict[str, Any], words: str) -> None:
    with pytest.raises(WorkbenchError) as refusal:
        prepared(tmp_path, toy_rows(20), also)
    assert refusal.value.what.startswith(words)
    assert refusal.value.where == str(tmp_path / "also-0.jsonl")


def test_tags_of_several_schemes_become_one(tmp_path: Path) -> None:
    main = [{"tokens": ["Ann", "Lee", "in", "Bonn"], "tags": ["B-per", "I-per", "O", "B-loc"]}] * 20
    other = [
        {"words": ["Bob", "of", "New", "York", "City"], "ner": ["S-PER", "O", "B-LOC", "I-LOC", "E-LOC"]},
        {"words": ["no", "one"], "ner": ["O", "O"]},
    ] * 10
    data = prepared(
        tmp_path,
        main,
        {"rows": other, "labels": {"PER": "per", "LOC": "loc"}},
        task="named-entities",
    )
    assert data.task.count_golds([]) == {"loc": 0, "per": 0}
    golds = {data.task.gold_words(each) for each in data.train if each.source == "also-0"}
    assert golds == {"Bob (per), New York City (loc)", "none"}


def test_label_sets_of_several_sets_are_read_in_their_own_way(tmp_path: Path) -> None:
    main = [{"text": f"a {n}", "labels": ["joy", "fear"] if n % 2 else ["joy"]} for n in range(20)]
    other = [{"text": f"b {n}", "labels": "happiness,fear"} for n in range(20)]
    data = prepared(tmp_path, main, {"rows": other, "labels": {"happiness": "joy"}}, task="multi-label")
    assert data.task.learned["labels"] == ["fear", "joy"]
    assert {data.task.gold_words(each) for each in data.train if each.source == "also-0"} == {"fear, joy"}


@given(
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from([0.1, 0.5, 1.0, 1.3, 2.0, 2.75])), min_size=1, max_size=4),
    st.integers(0, 5),
)
def test_weights_give_the_right_counts_over_many_epochs(sizes: list[tuple[int, float]], seed: int) -> None:
    sets, total = [], 0
    for size, _ in sizes:
        sets.append(list(range(total, total + size)))
        total += size
    weights, epochs = [weight for _, weight in sizes], 7
    counts: Counter[int] = Counter()
    for epoch in range(epochs):
        rows = plan_rows(sets, weights, seed, epoch)
        assert rows == plan_rows(sets, weights, seed, epoch)
        assert len(rows) == sum(seen_rows(*each) for each in sizes)
        assert len(set(rows)) == len(rows)
        counts.update(row % total for row in rows)
    for numbers, weight in zip(sets, weights, strict=True):
        own = [counts[number] for number in numbers]
        assert sum(own) == epochs * seen_rows(len(numbers), weight)
        assert max(own, default=0) - min(own, default=0) <= 1


def test_rows_without_weights_are_as_they_stand() -> None:
    assert plan_rows([[0, 1], [2, 3, 4]], [1.0, 1.0], 5, 9) == [0, 1, 2, 3, 4]
    assert plan_rows([[0, 1], [2]], [1.0, 2.0], 5, 9) == [0, 1, 2, 5]


def test_each_label_has_the_rows_asked_for(tmp_path: Path) -> None:
    data = prepared(tmp_path, toy_rows(60), {"rows": stars(40), **RENAMED}, per_class=6)
    assert data.task.count_golds(data.train) == {"bad": 6, "good": 6}
    assert {each.source for each in data.train} == {"main", "also-0"}
    assert len(data.validation) == 10
    again = prepared(tmp_path, toy_rows(60), {"rows": stars(40), **RENAMED}, per_class=6)
    assert again.train == data.train
    many = prepared(
        tmp_path, [*toy_rows(40), {"text": "x", "label": "odd"}, {"text": "y", "label": "odd"}], per_class=9
    )
    assert any(note.startswith("data.per_class asks for 9, there are fewer of: odd ") for note in many.notes)


def test_rows_of_several_labels_count_for_each() -> None:
    labels = [["a"], ["a", "b"], ["b"], [], ["c"], [], ["a"], []]
    taken = sample_each(labels, 2, 1)
    counts = Counter(label for number in taken for label in labels[number] or ["none"])
    assert counts["a"] >= 2
    assert (counts["none"], counts["c"]) == (2, 1)
    assert taken == sorted(taken) == sample_each(labels, 2, 1)
    assert {str(sample_each([["a"]] * 50, 5, seed)) for seed in (1, 2)} != {str(sample_each([["a"]] * 50, 5, 1))}


@pytest.mark.parametrize(
    ("data", "task", "words"),
    [
        ({"per_class": 5}, "regression", "data.per_class: regression has no labels to count rows of"),
        ({"per_class": 5, "rows": 9}, "sentiment", "data.per_class: data.rows already says how many rows"),
        ({"also": [{"train": "y", "columns": {"txt": "a"}}]}, "sentiment", "data.also.0.columns: 'txt' is not one of"),
        ({"also": [{"train": "y", "labels": {"a": "b"}}]}, "similarity", "data.also.0.labels: text similarity has no"),
        ({"also": [{"train": "y"}, {"weigth": 2, "train": "z"}]}, "sentiment", "data.also.1.weigth: there is no such"),
        ({"also": [{"weight": 2}]}, "sentiment", "data.also.0.train: missing; it must be given"),
        ({"also": "y"}, "sentiment", "data.also: 'y' is not allowed; it should be a list of tables"),
    ],
)
def test_a_table_that_makes_no_sense_is_refused(data: dict[str, Any], task: str, words: str) -> None:
    with pytest.raises(WorkbenchError) as refusal:
        parse({**BASE, "task": task, "data": {"train": "x.csv", **data}})
    assert refusal.value.what.startswith(words)


def test_more_sets_are_set_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    setting = 'data.also=[{train = "more.csv", weight = 2, columns = {text = "review"}}, "other.csv"]'
    made = parse(overlay({**BASE, "data": "x.csv"}, [setting]))
    assert [(also.train, also.weight) for also in made.data.also] == [
        (str(tmp_path / "more.csv"), 2.0),
        (str(tmp_path / "other.csv"), 1.0),
    ]
    assert loads(made.to_toml()) == made
    assert "[[data.also]]" in made.to_toml()


def test_the_doctor_names_the_set(tmp_path: Path) -> None:
    twice = [*stars(20), {"review": "a good\u200b day", "stars": 5}, {"review": toy_rows(4)[3]["text"], "stars": 5}]
    data = prepared(tmp_path, toy_rows(40), {"rows": twice, **RENAMED}, validation_share=0.05)
    found = {finding.code: finding for finding in doubts(data)}
    assert found["invisible"].where == str(tmp_path / "also-0.jsonl")
    assert found["invisible"].rows == (21,)
    assert found["duplicates"].what == "1 row: what a row of main asks already"
    assert found["duplicates"].where == str(tmp_path / "also-0.jsonl")


def test_the_doctor_examines_every_set(tmp_path: Path) -> None:
    main = write(tmp_path / "main.jsonl", WRITERS["jsonl"](toy_rows(40)))
    long = [{"text": f"{'so good and warm ' * 200} {number}", "label": "good"} for number in range(20)]
    other = write(tmp_path / "long.csv", WRITERS["csv"](long))
    recipe = parse({**BASE, "data": {"train": str(main), "also": [{"train": str(other)}]}})
    diagnosis = examine(recipe, tmp_path)
    assert diagnosis.data is not None
    cut = [finding for finding in diagnosis.findings if finding.code == "truncation"]
    assert [finding.where for finding in cut] == [str(other)]


def test_metrics_of_each_set_are_those_of_its_rows(tmp_path: Path) -> None:
    main = write(tmp_path / "main.jsonl", WRITERS["jsonl"](toy_rows(40)))
    more = write(tmp_path / "more.csv", WRITERS["csv"](stars(40)))
    data = {"train": str(main), "also": [{"train": str(more), "weight": 1.5, **RENAMED}], "validation_share": 0.3}
    (tmp_path / "run").mkdir()
    recipe = recipe_of(tiny_backbone(tmp_path / "bert"), main, data=data, training={"epochs": 2, "learning_rate": 5e-3})
    told = run_of(recipe, tmp_path / "run")
    prepared_again = prepare(recipe, tmp_path)
    best = [event for event in told.all(Evaluated) if event.best][-1]
    for name in ("main", "more"):
        own = [
            answer
            for answer, example in zip(best.answers, prepared_again.validation, strict=True)
            if example.source == name
        ]
        assert len(own) == 12
        assert best.values[f"eval@{name}/accuracy"] == sum(bool(answer.correct) for answer in own) / len(own)
        assert best.values[f"eval@{name}/loss"] == pytest.approx(sum(answer.loss or 0 for answer in own) / len(own))
    assert told.all(Started)[0].updates == 2 * -(-(28 + 42) // 8)


@pytest.mark.parametrize(
    ("task", "starter"),
    [
        ({"name": "masked-pretraining"}, "stories"),
        ({"name": "instructions", "packing": True}, "instructions"),
        ({"name": "translation", "longest_output": 8}, "translation"),
        ({"name": "question-answering"}, "questions"),
        ({"name": "embeddings"}, "paraphrases"),
        ({"name": "similarity"}, "similarity"),
    ],
)
def test_every_kind_of_rows_is_merged(tmp_path: Path, task: dict[str, Any], starter: str) -> None:
    (tmp_path / "run").mkdir()
    data = {"train": f"starter:{starter}", "also": [{"train": f"starter:{starter}", "weight": 0.5}]}
    training = {"max_length": 64, "batch_size": 16}
    recipe = recipe_of(Path("size:tiny"), tmp_path, task=task, data=data, training=training, strategy="scratch")
    job = build(recipe, tmp_path / "run", tmp_path)
    rows = [row % len(job.train) for window in job.windows(0) for batch in window for row in batch]
    sources = Counter(job.data.train[job.train[number].example].source for number in rows)
    sizes = [len(numbers) for numbers in job.sets]
    assert sources == {starter: sizes[0], f"{starter}-2": round(sizes[1] / 2)}
    assert job.updates_per_epoch == -(-len(rows) // 16)
    few = replace(job, data=replace(job.data, validation=job.data.validation[:4] + job.data.validation[-4:]))
    few.questions = job.data.task.questions(job.tokenizer, few.data.validation, job.max_length)
    _, metrics = few.evaluate()
    assert list(metrics) == ["", starter, f"{starter}-2"]
    assert all(set(own) == set(job.data.task.card.metrics) for own in metrics.values())
