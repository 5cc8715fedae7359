"""From a recipe to examples: the same for the report before a run and for the run itself."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from workbench.data.batching import default_evaluation, sample, sample_each, seen_rows, split, updates_per_epoch
from workbench.data.features import Example
from workbench.data.merging import Opened, fitting_notes, learn_task, open_sets
from workbench.data.rows import Problem, columns_of, examples_of, row_refusal
from workbench.data.sources import read, validation_of
from workbench.errors import WorkbenchError
from workbench.recipe import Recipe
from workbench.tasks import Task


@dataclass(frozen=True)
class DataSet:
    """One of the sets that are trained on, by the name that its examples have as their source: none where it is alone.

    `train_file` and `validation_file` are where the rows stand: the same where some were set aside.
    """

    name: str
    weight: float
    train_file: str
    validation_file: str


@dataclass(frozen=True)
class Prepared:
    """What a recipe's data come to. `columns` are those of the first set's rows, `types` what they hold in words,
    `encoding` how they are written; `chosen` maps role → column.
    """

    task: Task
    train: list[Example]
    validation: list[Example]
    columns: list[str]
    types: dict[str, str]
    encoding: str
    chosen: dict[str, str]
    notes: list[str]
    sets: list[DataSet]

    @property
    def eval_set(self) -> str:
        """A name made of the evaluation set's content: equal sets have equal names."""
        return digest([_content(self.validation), self.task.yardstick()])

    @property
    def fingerprint(self) -> str:
        """A name made of all that is trained and evaluated on: what a resumed run must find again."""
        return digest([_content(self.train), self.eval_set])


def _content(examples: Sequence[Example]) -> list[Any]:
    return [[each.fields, each.gold, *([each.source] if each.source else [])] for each in examples]


def digest(content: Any) -> str:
    """Return 16 hex digits that are equal for equal content."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode("ascii")).hexdigest()[:16]


@dataclass(frozen=True)
class Length:
    """How long a run is, in updates."""

    updates: int
    per_epoch: int
    evaluate_every: int


def rows_seen(data: Prepared) -> int:
    """Return how many rows of training an epoch sees, each set's as often as its weight says."""
    counts = Counter(example.source for example in data.train)
    return sum(seen_rows(counts[each.name], each.weight) for each in data.sets)


def length_of(recipe: Recipe, rows: int, validation_rows: int) -> Length:
    """Return how long a recipe's run is on so many rows of batches."""
    training = recipe.training
    per_epoch = updates_per_epoch(rows, training.batch_size, training.accumulation)
    update_rows = training.batch_size * training.accumulation
    every = recipe.evaluation.every or default_evaluation(per_epoch, update_rows, validation_rows)
    return Length(ceil(per_epoch * training.epochs), per_epoch, every)


def prepare(recipe: Recipe, cache: Path, problems: list[Problem] | None = None) -> Prepared:
    """Read and check the data of a recipe; raise a WorkbenchError that names the file, the column and the row.

    `problems` is given all rows that cannot be used, where not only the first are wanted.
    """
    problems = [] if problems is None else problems
    opened = open_sets(recipe, cache, problems)
    notes = [f"{each.source.title}{note}" for each in opened for note in each.notes]
    task = learn_task(recipe, opened, problems)
    notes += [note for each in opened for note in each.names_used(task)] + task.notes()
    parts = [_part(recipe, task, each, cache, problems, notes) for each in opened]
    if problems:
        raise row_refusal(problems)
    parts = [_divided(recipe, part, notes) for part in parts]
    notes += fitting_notes(task, opened, [part.train for part in parts])
    train = [example for part in parts for example in part.train]
    table = opened[0].table
    return Prepared(
        task=task,
        train=_fewer(recipe, task, train, notes),
        validation=[example for part in parts for example in part.validation or ()],
        columns=table.columns,
        types=table.types,
        encoding=table.encoding,
        chosen=opened[0].chosen,
        notes=notes,
        sets=[part.set for part in parts],
    )


@dataclass(frozen=True)
class _Part:
    """The examples of one set; `validation` is None where some of its training rows are to be set aside."""

    set: DataSet
    train: list[Example]
    validation: list[Example] | None


def _part(recipe: Recipe, task: Task, opened: Opened, cache: Path, problems: list[Problem], notes: list[str]) -> _Part:
    """Return the examples of a set, those to evaluate on too where it or the recipe has them."""
    table, source = opened.table, opened.source
    found = examples_of(task, table, opened.chosen, problems, opened.read, source.name)
    held_out = recipe.data.validation
    if held_out is None:
        held_out = validation_of(source.train, cache)
    elif source.number:
        return _Part(DataSet(source.name, source.weight, table.where, table.where), found, [])
    if not held_out:
        return _Part(DataSet(source.name, source.weight, table.where, table.where), found, None)
    there = read(held_out, cache, "validation")
    told = [*there.notes]
    chosen = columns_of(recipe, there, told, opened.chosen, source.columns)
    validation = examples_of(task, there, chosen, problems, opened.read, source.name)
    notes += [f"{source.title}evaluation: {note}" for note in told]
    return _Part(DataSet(source.name, source.weight, table.where, there.where), found, validation)


def _divided(recipe: Recipe, part: _Part, notes: list[str]) -> _Part:
    """Return a set with a share of its training rows set aside, where it has no others to evaluate on."""
    if part.validation is not None:
        return part
    kept, held_out = split(len(part.train), recipe.data.validation_share, recipe.seed)
    if not kept:
        raise WorkbenchError(
            "too few rows to set some aside for evaluation", where=part.set.train_file, code="too-few-rows"
        )
    title = f"{part.set.name}: " if part.set.name else ""
    notes.append(f"{title}{len(held_out)} of {len(part.train)} rows are set aside for evaluation")
    train, validation = ([part.train[number] for number in numbers] for numbers in (kept, held_out))
    return _Part(part.set, train, validation)


def _fewer(recipe: Recipe, task: Task, train: list[Example], notes: list[str]) -> list[Example]:
    """Return as many random examples of training as the recipe asks for, in all or of each label."""
    rows, each = recipe.data.rows, recipe.data.per_class
    if each is not None:
        labels = [[label for label, count in task.count_golds([example]).items() if count] for example in train]
        kept = sample_each(labels, each, recipe.seed)
        counts = task.count_golds([train[number] for number in kept])
        few = [f"{label} {count}" for label, count in counts.items() if count < each]
        notes += [f"data.per_class asks for {each}, there are fewer of: {', '.join(few[:10])}"] if few else []
        return [train[number] for number in kept]
    if rows and rows > len(train):
        notes.append(f"data.rows asks for {rows}, there are {len(train)}")
    return [train[number] for number in sample(len(train), rows, recipe.seed)]
