"""Runs whose rows change from epoch to epoch: each row by itself, the same again when a run is resumed."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.making import tiny_backbone, tiny_model, tiny_tokenizer, toy_rows, write_jsonl
from tests.training.augmented import losses_of
from tests.training.support import recipe_of, run_of
from workbench.data.augmentation import units_of
from workbench.errors import WorkbenchError
from workbench.recipe import Recipe
from workbench.training.checkpoints import Progress
from workbench.training.events import Evaluated, Event, Logged, Noted, Started
from workbench.training.job import Job, build
from workbench.training.loop import Control

ALL = {"delete": 0.2, "swap": 0.3, "crop": 0.7, "noise": 0.1}


@pytest.fixture(scope="module")
def masked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of a tiny model with a masked head."""
    folder = tmp_path_factory.mktemp("masked") / "bert"
    tiny_model("bert", auto="AutoModelForMaskedLM").save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def translator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of a tiny model that translates into nonsense."""
    folder = tmp_path_factory.mktemp("translator") / "bart"
    tiny_model("bart", auto="AutoModelForSeq2SeqLM").save_pretrained(folder)
    tiny_tokenizer(types=False).save_pretrained(folder)
    return folder


def built(recipe: Recipe, folder: Path) -> Job:
    folder.mkdir(exist_ok=True)
    return build(recipe, folder, folder.parent / "cache")


def prepared(job: Job, epoch: int) -> Job:
    """Let the models write for an epoch."""
    list(job.written_for(Progress(epoch=epoch)))
    return job


def ids_of(job: Job, rows: list[int], epoch: int) -> dict[int, list[int]]:
    return {number: feature.ids for feature, number in job.varied(rows, epoch)}


def stopped_and_resumed(recipe: Recipe, folder: Path, after: int) -> list[Event]:
    """Return the events of a run that is stopped after an update and goes on."""

    def stop(event: Event, control: Control) -> None:
        if isinstance(event, Logged) and event.step == after:
            control.stop.set()

    folder.mkdir()
    return [*run_of(recipe, folder, stop).events, *run_of(recipe, folder).events]


def numbers_of(events: list[Event]) -> dict[tuple[str, int], float]:
    kinds = (Logged, Evaluated)
    return {
        (name, event.step): value
        for event in events
        if isinstance(event, kinds)
        for name, value in event.values.items()
        if name != "train/examples_per_second"
    }


def test_a_row_depends_on_seed_epoch_and_number_alone(backbone: Path, rows: Path, tmp_path: Path) -> None:
    job = built(recipe_of(backbone, rows, augment=ALL), tmp_path / "one")
    every = list(range(len(job.train)))
    first = ids_of(job, every, 0)
    assert ids_of(job, every[::-1], 0) == first
    assert {number: ids_of(job, [number], 0)[number] for number in every[:9]} == {n: first[n] for n in every[:9]}
    assert sum(ids != first[number] for number, ids in ids_of(job, every, 1).items()) > len(every) * 0.8
    assert sum(ids != job.train[number].ids for number, ids in first.items()) > len(every) * 0.8
    again = built(recipe_of(backbone, rows, augment=ALL), tmp_path / "two")
    assert ids_of(again, every, 0) == first
    other = built(recipe_of(backbone, rows, augment=ALL, seed=6), tmp_path / "three")
    assert ids_of(other, every, 0) != first


def test_what_is_evaluated_is_never_changed(backbone: Path, rows: Path, tmp_path: Path) -> None:
    jobs = [built(recipe_of(backbone, rows, augment=each), tmp_path / str(n)) for n, each in enumerate((ALL, {}))]
    assert jobs[0].questions == jobs[1].questions
    assert jobs[0].eval_set == jobs[1].eval_set


def test_without_augmentation_rows_are_those_made_at_the_start(backbone: Path, rows: Path, tmp_path: Path) -> None:
    job = built(recipe_of(backbone, rows), tmp_path / "run")
    assert job.augmenter is None
    assert all(feature is job.train[number] for feature, number in job.varied([3, 1, 4], 0))


@pytest.mark.parametrize("written", [False, True])
def test_a_resumed_run_gives_the_same_numbers(
    backbone: Path, masked: Path, translator: Path, tmp_path: Path, written: bool
) -> None:
    rows = write_jsonl(tmp_path / "rows.jsonl", toy_rows(40))
    translating = {"translated": 0.3, "there": str(translator), "back": str(translator)}
    augment = ALL | ({"masked": 0.3, "masked_model": str(masked), **translating} if written else {})
    training = {"epochs": 3, "dropout": 0.1}
    recipe = recipe_of(backbone, rows, augment=augment, training=training, checkpoint={"every": 2})
    (tmp_path / "whole").mkdir()
    whole = numbers_of(run_of(recipe, tmp_path / "whole").events)
    parts = numbers_of(stopped_and_resumed(recipe, tmp_path / "parts", 7))
    assert parts == whole
    assert max(step for _, step in whole) == 15


def test_words_lost_with_the_run_folder_are_written_the_same_again(
    backbone: Path, masked: Path, tmp_path: Path
) -> None:
    rows = write_jsonl(tmp_path / "rows.jsonl", toy_rows(40))
    recipe = recipe_of(backbone, rows, augment={"masked": 0.5, "masked_model": str(masked)})
    job = prepared(built(recipe, tmp_path / "run"), 1)
    every = list(range(len(job.train)))
    first = ids_of(job, every, 1)
    file = tmp_path / "run" / "augment" / "words-000001.jsonl"
    whole = file.read_text(encoding="utf-8")
    lines = whole.splitlines(keepends=True)
    file.write_text("".join(lines[:7]) + lines[7][:9], encoding="utf-8")
    assert ids_of(prepared(built(recipe, tmp_path / "run"), 1), every, 1) == first
    assert file.read_text(encoding="utf-8") == whole


def test_a_masked_model_changes_about_the_share_of_words_it_is_asked_for(
    backbone: Path, masked: Path, tmp_path: Path
) -> None:
    rows = write_jsonl(tmp_path / "rows.jsonl", toy_rows(80))
    augment = {"masked": 0.4, "masked_model": str(masked)}
    job = prepared(built(recipe_of(backbone, rows, augment=augment), tmp_path / "run"), 0)
    assert job.augmenter is not None
    texts = [
        (job.data.train[number].fields["text"].split(), job.augmenter.example(number, 0, 0).fields["text"].split())
        for number in range(len(job.data.train))
    ]
    assert all(len(old) == len(new) for old, new in texts)
    changed = [one != other for old, new in texts for one, other in zip(old, new, strict=True)]
    # The tiny model's likeliest tokens are seldom whole words: then the old word stays.
    assert 0.05 < sum(changed) / len(changed) < 0.4
    filler = job.augmenter._filler
    assert filler is not None
    units = units_of("so good " * 1000)
    assert len(filler.chosen(units, 0.4, random.Random(1))) / len(units) == pytest.approx(0.4, abs=0.02)
    assert filler.chosen(units_of("- … !"), 0.9, random.Random(1)) == []
    assert filler.chosen(units_of("a [MASK] day"), 0.9, random.Random(1)) == []


def test_the_backbones_own_head_writes_where_it_has_one(backbone: Path, masked: Path, tmp_path: Path) -> None:
    rows = write_jsonl(tmp_path / "rows.jsonl", toy_rows(16))
    job = prepared(built(recipe_of(masked, rows, augment={"masked": 0.5}), tmp_path / "run"), 0)
    assert job.augmenter is not None
    assert any(job.augmenter.words.values())
    headless = built(recipe_of(backbone, rows, augment={"masked": 0.5}), tmp_path / "headless")
    with pytest.raises(WorkbenchError, match="no masked head") as refusal:
        prepared(headless, 0)
    assert "augment.masked_model" in refusal.value.hint


def test_a_text_is_translated_once_for_all_epochs(backbone: Path, translator: Path, tmp_path: Path) -> None:
    rows = write_jsonl(tmp_path / "rows.jsonl", toy_rows(40))
    augment = {"translated": 0.5, "there": str(translator), "back": str(translator)}
    job = built(recipe_of(backbone, rows, augment=augment), tmp_path / "run")
    file = tmp_path / "run" / "augment" / "translated.jsonl"
    counts = []
    for epoch in range(4):
        prepared(job, epoch)
        told = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        assert len({each["row"] for each in told}) == len(told)
        counts.append(len(told))
        assert job.augmenter is not None
        new = [job.augmenter.example(number, 0, epoch).fields["text"] for number in range(len(job.data.train))]
        known = {each["row"]: each["new"].strip() for each in told}
        old = [each.fields["text"] for each in job.data.train]
        other = [number for number, text in enumerate(new) if text != old[number]]
        assert all(new[number] == known[number] for number in other)
    assert counts == sorted(counts)
    assert len(job.train) * 0.2 < counts[0] < len(job.train) * 0.8
    assert counts[-1] <= len(job.train)


@pytest.mark.parametrize("task", ["named-entities", "question-answering", "embeddings", "multi-label", "regression"])
def test_every_task_trains_on_changed_rows(task: str, tmp_path: Path) -> None:
    tiny, source = tiny_backbone(tmp_path / "bert"), {"embeddings": "paraphrases", "regression": "similarity"}
    stem = source.get(task) or {"named-entities": "entities", "question-answering": "questions"}.get(task, "emotions")
    data: dict[str, Any] = {"train": f"starter:{stem}", "rows": 24}
    (tmp_path / "run").mkdir()
    recipe = recipe_of(tiny, tmp_path, task=task, data=data, augment=ALL, training={"epochs": 1, "max_length": 128})
    told = run_of(recipe, tmp_path / "run")
    # A row whose answer was cut away is left out, so that an update may be left without any.
    seen = [event.values for event in told.all(Logged) if event.values["train/examples_per_second"]]
    assert seen
    assert all(value == value for values in seen for value in values.values())
    assert told.all(Evaluated)


def test_the_windows_of_a_long_text_are_all_seen_once(tmp_path: Path) -> None:
    tiny = tiny_backbone(tmp_path / "bert")
    tokens = [f"w{number}" for number in range(60)]
    long = [{"tokens": tokens, "tags": ["B-a"] + ["O"] * 59}, {"tokens": ["x", "y"], "tags": ["B-a", "O"]}] * 4
    rows = write_jsonl(tmp_path / "rows.jsonl", long)
    recipe = recipe_of(tiny, rows, task={"name": "named-entities", "stride": 0}, augment={"noise": 0.2, "delete": 0.3})
    job = built(recipe, tmp_path / "run")
    assert job.augmenter is not None
    assert len(job.train) > len(job.data.train) * 2
    seen = [feature for window in job.windows(2) for batch in window for feature, _ in job.varied(batch, 2)]
    words = sum(len(job.augmenter.example(number, 0, 2).gold) for number in range(len(job.data.train)))
    assert sum(feature.items for feature in seen) == words


def test_a_run_is_stopped_while_models_write(backbone: Path, masked: Path, tmp_path: Path) -> None:
    rows = write_jsonl(tmp_path / "rows.jsonl", toy_rows(16))

    def stop(event: Event, control: Control) -> None:
        if isinstance(event, Started):
            control.stop.set()

    (tmp_path / "run").mkdir()
    augment = {"masked": 0.5, "masked_model": str(masked)}
    told = run_of(recipe_of(backbone, rows, augment=augment), tmp_path / "run", stop)
    assert [note.kind for note in told.all(Noted)][-1] == "stop"
    assert told.all(Logged) == []
    assert not list((tmp_path / "run" / "augment").glob("words-*"))


def test_a_frozen_body_reads_changed_rows_anew(backbone: Path, tmp_path: Path) -> None:
    rows = write_jsonl(tmp_path / "rows.jsonl", toy_rows(16))
    jobs = [
        built(recipe_of(backbone, rows, strategy="head", augment=augment), tmp_path / str(number))
        for number, augment in enumerate((ALL, {}))
    ]
    assert [job.varies for job in jobs] == [True, False]


def test_two_processes_see_the_same_changed_rows_as_one(masked: Path, tmp_path: Path) -> None:
    write_jsonl(tmp_path / "rows.jsonl", toy_rows(27))
    tiny_backbone(tmp_path / "bert")
    shutil.copytree(masked, tmp_path / "masked")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    ended = subprocess.run(
        [*command, "-m", "tests.training.augmented", str(tmp_path)],
        cwd=Path(__file__).resolve().parents[2],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    first, second = (json.loads((tmp_path / f"losses-{rank}.json").read_text("utf-8")) for rank in (0, 1))
    assert first == second
    assert first == pytest.approx(losses_of(tmp_path, tmp_path / "alone"), rel=1e-4)
