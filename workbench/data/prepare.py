"""From a recipe to examples: the same for the report before a run and for the run itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from workbench.data.batching import default_evaluation, sample, split, updates_per_epoch
from workbench.data.columns import choose_columns
from workbench.data.features import Example, RowProblem
from workbench.data.sources import Table, read, validation_of
from workbench.errors import WorkbenchError
from workbench.recipe import Recipe
from workbench.tasks import TASKS, Task

PROBLEMS_NAMED = 5
"""How many rows that cannot be used are named."""


@dataclass(frozen=True)
class Prepared:
    """What a recipe's data come to. `columns` are those of the training rows; `chosen` maps role → column."""

    task: Task
    train: list[Example]
    validation: list[Example]
    columns: list[str]
    chosen: dict[str, str]
    notes: list[str]

    @property
    def eval_set(self) -> str:
        """A name made of the evaluation set's content: equal sets have equal names."""
        return _digest([_content(self.validation), self.task.describe()["learned"]])

    @property
    def fingerprint(self) -> str:
        """A name made of all that is trained and evaluated on: what a resumed run must find again."""
        return _digest([_content(self.train), self.eval_set])


def _content(examples: Sequence[Example]) -> list[Any]:
    return [[example.fields, example.gold] for example in examples]


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode("ascii")).hexdigest()[:16]


@dataclass(frozen=True)
class Length:
    """How long a run is, in updates."""

    updates: int
    per_epoch: int
    evaluate_every: int


def length_of(recipe: Recipe, rows: int, validation_rows: int) -> Length:
    """Return how long a recipe's run is on so many rows of batches."""
    training = recipe.training
    per_epoch = updates_per_epoch(rows, training.batch_size, training.accumulation)
    update_rows = training.batch_size * training.accumulation
    every = recipe.evaluation.every or default_evaluation(per_epoch, update_rows, validation_rows)
    return Length(ceil(per_epoch * training.epochs), per_epoch, every)


def prepare(recipe: Recipe, cache: Path) -> Prepared:
    """Read and check the data of a recipe; raise a WorkbenchError that names the file, the column and the row."""
    table = read(recipe.data.train, cache)
    names, notes = _label_names(recipe.data.train)
    chosen = columns_of(recipe, table)
    try:
        task = TASKS[recipe.task.name].learn(recipe.task, rows_of(table, chosen), names)
    except RowProblem as problem:
        raise WorkbenchError(f"column {chosen[problem.role]!r} {problem.what}", table.where, problem.hint) from None
    notes = [*table.notes, *notes, *_names_used(task, names), *task.notes()]
    train = examples_of(task, table, chosen)
    source = recipe.data.validation or validation_of(recipe.data.train)
    kept: Sequence[int]
    if source:
        validation = _validation(recipe, task, source, cache, notes)
        kept = sample(len(train), recipe.data.rows, recipe.seed)
    else:
        kept, held_out = split(len(train), recipe.data.validation_share, recipe.seed)
        if not kept:
            raise WorkbenchError("too few rows to set some aside for evaluation", where=table.where)
        validation = [train[number] for number in held_out]
        kept = [kept[number] for number in sample(len(kept), recipe.data.rows, recipe.seed)]
        notes.append(f"{len(held_out)} of {len(train)} rows are set aside for evaluation")
    if recipe.data.rows and recipe.data.rows > len(kept):
        notes.append(f"data.rows asks for {recipe.data.rows}, there are {len(kept)}")
    train = [train[number] for number in kept]
    shared = len({_digest(each.fields) for each in train} & {_digest(each.fields) for each in validation})
    if shared:
        notes.append(f"{shared} evaluation rows stand in the training rows too: the scores flatter")
    return Prepared(task, train, validation, table.columns, chosen, notes)


def columns_of(recipe: Recipe, table: Table) -> dict[str, str]:
    """Return role → column of a table for a recipe's task."""
    roles = TASKS[recipe.task.name].card.roles
    named = {role: getattr(recipe.task, role) for role in roles}
    return choose_columns(roles, named, table.columns, table.where)


def rows_of(table: Table, chosen: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table as role → value."""
    values = [table.values(column) for column in chosen.values()]
    for row in zip(*values, strict=True):
        yield dict(zip(chosen, row, strict=True))


def examples_of(task: Task, table: Table, chosen: dict[str, str]) -> list[Example]:
    """Return the examples of a table; raise a WorkbenchError that names the first rows that cannot be used."""
    examples: list[Example] = []
    problems: list[tuple[int, RowProblem]] = []
    for number, row in enumerate(rows_of(table, chosen), 1):
        try:
            _refuse_empty(task, row)
            examples.append(task.example(row))
        except RowProblem as problem:
            problems.append((number, problem))
    if problems:
        lines = [f"row {row}: column {chosen[each.role]!r} {each.what}" for row, each in problems[:PROBLEMS_NAMED]]
        more = len(problems) - PROBLEMS_NAMED
        words = "\n".join([*lines, *([f"and {more} more rows"] if more > 0 else [])])
        raise WorkbenchError(words, where=table.where, hint=problems[0][1].hint)
    return examples


def _refuse_empty(task: Task, row: dict[str, Any]) -> None:
    for role, value in row.items():
        if task.card.roles[role].required and (value is None or (isinstance(value, str) and not value.strip())):
            raise RowProblem("is empty", role)


def _validation(recipe: Recipe, task: Task, source: str, cache: Path, notes: list[str]) -> list[Example]:
    table = read(source, cache, "validation")
    notes += [f"evaluation: {note}" for note in table.notes]
    return examples_of(task, table, columns_of(recipe, table))


def _names_used(task: Task, names: list[str]) -> list[str]:
    if not names:
        return []
    known = task.learned.get("labels", [])
    used = "names the labels" if set(known) <= set(names) else "does not fit the labels and is not used"
    return [f"labels.txt beside the data {used}"]


def _label_names(source: str) -> tuple[list[str], list[str]]:
    folder = Path(source)
    file = folder / "labels.txt" if folder.is_dir() else folder.with_name("labels.txt")
    if not file.is_file():
        return [], []
    try:
        names = [line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError):
        return [], [f"{file} is there but cannot be read"]
    return names, []
