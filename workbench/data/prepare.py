"""From a recipe to examples: the same for the report before a run and for the run itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import Any

from workbench.data.batching import default_evaluation, sample, split, updates_per_epoch
from workbench.data.columns import choose_columns, guesses_in
from workbench.data.features import Example, RowProblem
from workbench.data.locating import beside
from workbench.data.sources import Table, read, validation_of
from workbench.errors import WorkbenchError
from workbench.recipe import Recipe
from workbench.tasks import TASKS, Task

PROBLEMS_NAMED = 5
"""How many rows that cannot be used are named."""

ROWS = "rows"
"""The code of the error that stands for rows that cannot be used."""


@dataclass(frozen=True)
class Prepared:
    """What a recipe's data come to. `columns` are those of the training rows, `types` what they hold in words,
    `encoding` how they are written; `chosen` maps role → column.

    `train_file` and `validation_file` are where the rows stand: the same where some were set aside.
    """

    task: Task
    train: list[Example]
    validation: list[Example]
    columns: list[str]
    types: dict[str, str]
    encoding: str
    chosen: dict[str, str]
    notes: list[str]
    train_file: str
    validation_file: str

    @property
    def eval_set(self) -> str:
        """A name made of the evaluation set's content: equal sets have equal names."""
        return digest([_content(self.validation), self.task.yardstick()])

    @property
    def fingerprint(self) -> str:
        """A name made of all that is trained and evaluated on: what a resumed run must find again."""
        return digest([_content(self.train), self.eval_set])


def _content(examples: Sequence[Example]) -> list[Any]:
    return [[example.fields, example.gold] for example in examples]


def digest(content: Any) -> str:
    """Return 16 hex digits that are equal for equal content."""
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


@dataclass(frozen=True)
class Problem:
    """A row, counted from 1, that cannot be used."""

    where: str
    row: int
    column: str
    problem: RowProblem


def prepare(recipe: Recipe, cache: Path, problems: list[Problem] | None = None) -> Prepared:
    """Read and check the data of a recipe; raise a WorkbenchError that names the file, the column and the row.

    `problems` is given all rows that cannot be used, where not only the first are wanted.
    """
    problems = [] if problems is None else problems
    table = read(recipe.data.train, cache)
    guesses: list[str] = []
    chosen = columns_of(recipe, table, guesses)
    names, named_by, notes = _label_names(recipe.data.train, table, chosen)
    task = _learned(recipe, table, chosen, names, problems)
    notes = [*table.notes, *guesses, *notes, *_names_used(task, names, named_by), *task.notes()]
    train = examples_of(task, table, chosen, problems)
    source, held_out_file = recipe.data.validation or validation_of(recipe.data.train, cache), table.where
    kept: Sequence[int]
    if source:
        held_out_table = read(source, cache, "validation")
        told = [*held_out_table.notes]
        validation = examples_of(task, held_out_table, columns_of(recipe, held_out_table, told, chosen), problems)
        notes += [f"evaluation: {note}" for note in told]
        kept, held_out_file = sample(len(train), recipe.data.rows, recipe.seed), held_out_table.where
    if problems:
        raise _refusal(problems)
    if not source:
        kept, held_out = split(len(train), recipe.data.validation_share, recipe.seed)
        if not kept:
            raise WorkbenchError(
                "too few rows to set some aside for evaluation", where=table.where, code="too-few-rows"
            )
        validation = [train[number] for number in held_out]
        kept = [kept[number] for number in sample(len(kept), recipe.data.rows, recipe.seed)]
        notes.append(f"{len(held_out)} of {len(train)} rows are set aside for evaluation")
    if recipe.data.rows and recipe.data.rows > len(kept):
        notes.append(f"data.rows asks for {recipe.data.rows}, there are {len(kept)}")
    train = [train[number] for number in kept]
    return Prepared(
        task=task,
        train=train,
        validation=validation,
        columns=table.columns,
        types=table.types,
        encoding=table.encoding,
        chosen=chosen,
        notes=notes,
        train_file=table.where,
        validation_file=held_out_file,
    )


def _learned(recipe: Recipe, table: Table, chosen: dict[str, str], names: list[str], problems: list[Problem]) -> Task:
    """Return the task after a look at the training rows; raise a WorkbenchError where one cannot be read."""
    kind = TASKS[recipe.task.name]
    try:
        return kind.learn(recipe.task, rows_of(table, chosen), names)
    except RowProblem as problem:
        problems += _unreadable(kind, recipe, table, chosen)
        if not problems:
            # What is wrong with all rows together is wrong with none of them alone.
            what = f"column {chosen[problem.role]!r} {problem.what}"
            raise WorkbenchError(what, table.where, problem.hint, problem.code) from None
        raise _refusal(problems) from None
    except WorkbenchError as error:
        raise WorkbenchError(error.what, table.where, error.hint, error.code) from None


def _unreadable(kind: type[Task], recipe: Recipe, table: Table, chosen: dict[str, str]) -> Iterator[Problem]:
    for number, row in enumerate(rows_of(table, chosen), 1):
        try:
            kind.learn(recipe.task, [row], [])
        except RowProblem as problem:
            yield Problem(table.where, number, chosen[problem.role], problem)
        except WorkbenchError:
            continue


def _refusal(problems: Sequence[Problem]) -> WorkbenchError:
    """Return the error that names the first rows that cannot be used."""
    where = problems[0].where
    # Where a file is both trained and evaluated on, its rows were looked at twice.
    here = list({each.row: each for each in problems if each.where == where}.values())
    lines = [f"row {each.row}: column {each.column!r} {each.problem.what}" for each in here[:PROBLEMS_NAMED]]
    more = len(here) - PROBLEMS_NAMED
    words = "\n".join([*lines, *([f"and {more} more rows"] if more > 0 else [])])
    return WorkbenchError(words, where=where, hint=here[0].problem.hint, code=ROWS)


def columns_of(recipe: Recipe, table: Table, notes: list[str], like: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return role → column of a table for a recipe's task; `notes` is told each that is guessed by what it holds.

    `like` are the columns of training: the same ones are taken where the table has them, and what the model is asked
    with must be there; raise a WorkbenchError where it is not.
    """
    roles = TASKS[recipe.task.name].card.roles
    named = {role: getattr(recipe.task, role) or column_like(role, like, table) for role in roles}
    chosen = choose_columns(roles, named, table.columns, table.where, table.types)
    notes += guesses_in(roles, named, chosen)
    lacking = [role for role in like or () if roles[role].asked and role not in chosen]
    if lacking:
        raise WorkbenchError(
            f"no column for the {lacking[0]} that training has",
            where=table.where,
            hint=f"Training takes it from column {(like or {})[lacking[0]]!r}.",
            code="no-column",
        )
    return chosen


def column_like(role: str, like: Mapping[str, str] | None, table: Table) -> str | None:
    """Return the column that training took for a role, where a table has it."""
    column = (like or {}).get(role)
    return column if column in table.columns else None


def rows_of(table: Table, chosen: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table as role → value."""
    values = [table.values(column) for column in chosen.values()]
    for row in zip(*values, strict=True):
        yield dict(zip(chosen, row, strict=True))


def examples_of(task: Task, table: Table, chosen: dict[str, str], problems: list[Problem]) -> list[Example]:
    """Return the examples of a table, and add to `problems` the rows that cannot be used."""
    examples: list[Example] = []
    for number, row in enumerate(rows_of(table, chosen), 1):
        try:
            _refuse_empty(task, row)
            examples.append(replace(task.example(row), row=number))
        except RowProblem as problem:
            problems.append(Problem(table.where, number, chosen.get(problem.role, problem.role), problem))
    return examples


def _refuse_empty(task: Task, row: dict[str, Any]) -> None:
    for role, value in row.items():
        card = task.card.roles[role]
        if card.required and not card.blank and (value is None or (isinstance(value, str) and not value.strip())):
            raise RowProblem("is empty", role, code="empty")
        if isinstance(value, list) and not card.in_prompts:
            raise RowProblem("holds several texts, not one", role, "Write a row for each of them.")


def _names_used(task: Task, names: list[str], named_by: str) -> list[str]:
    if not names:
        return []
    known = task.learned.get("labels", [])
    fits = "names" in task.learned or set(known) <= set(names)
    return [f"{named_by} {'names the labels' if fits else 'does not fit the labels and is not used'}"]


def _label_names(source: str, table: Table, chosen: dict[str, str]) -> tuple[list[str], str, list[str]]:
    """Return the names of the labels 0, 1, 2, …, what gives them (a file, or the column itself), and notes."""
    file = beside(source, "labels.txt")
    notes = []
    try:
        names = file.read_text(encoding="utf-8-sig").splitlines() if file else []
    except (OSError, UnicodeDecodeError):
        names, notes = [], [f"{file} is there but cannot be read"]
    names = [name.strip() for name in names if name.strip()]
    if names:
        return names, "labels.txt beside the data", notes
    column = next((column for column in chosen.values() if column in table.names), "")
    return table.names.get(column, []), f"column {column!r}", notes
