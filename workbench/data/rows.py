"""The rows of a table on their way to examples: which column is which, and which rows cannot be used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from workbench.data.columns import choose_columns, guesses_in
from workbench.data.features import Example, RowProblem
from workbench.data.table import Table
from workbench.errors import WorkbenchError
from workbench.recipe import Recipe
from workbench.tasks import TASKS, Task
from workbench.tasks.task import Reading

PROBLEMS_NAMED = 5
"""How many rows that cannot be used are named."""

ROWS = "rows"
"""The code of the error that stands for rows that cannot be used."""


@dataclass(frozen=True)
class Problem:
    """A row, counted from 1, that cannot be used."""

    where: str
    row: int
    column: str
    problem: RowProblem


def row_refusal(problems: Sequence[Problem]) -> WorkbenchError:
    """Return the error that names the first rows that cannot be used."""
    where = problems[0].where
    # Where a file is both trained and evaluated on, its rows were looked at twice.
    here = list({each.row: each for each in problems if each.where == where}.values())
    lines = [f"row {each.row}: column {each.column!r} {each.problem.what}" for each in here[:PROBLEMS_NAMED]]
    more = len(here) - PROBLEMS_NAMED
    words = "\n".join([*lines, *([f"and {more} more rows"] if more > 0 else [])])
    return WorkbenchError(words, where=where, hint=here[0].problem.hint, code=ROWS)


def columns_of(
    recipe: Recipe,
    table: Table,
    notes: list[str],
    like: Mapping[str, str] | None = None,
    own: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return role → column of a table for a recipe's task; `notes` is told each that is guessed by what it holds.

    `own` are the columns that the table's set names for itself, None for the set whose columns the task names.

    `like` are the columns of training: the same ones are taken where the table has them, and what the model is asked
    with must be there; raise a WorkbenchError where it is not.
    """
    roles = TASKS[recipe.task.name].card.roles
    asked = {role: getattr(recipe.task, role) if own is None else own.get(role) for role in roles}
    named = {role: asked[role] or column_like(role, like, table) for role in roles}
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


def examples_of(
    task: Task,
    table: Table,
    chosen: dict[str, str],
    problems: list[Problem],
    reading: Reading | None = None,
    source: str = "",
) -> list[Example]:
    """Return the examples of a table, and add to `problems` the rows that cannot be used."""
    examples: list[Example] = []
    for number, row in enumerate(rows_of(table, chosen), 1):
        try:
            _refuse_empty(task, row)
            example = task.example(reading(row) if reading else row)
            examples.append(replace(example, row=number, source=source))
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
