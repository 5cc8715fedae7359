"""The sets that a recipe trains on, each read in its own way, and the one task that is learned of them all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from workbench.data.features import Example, RowProblem
from workbench.data.locating import beside
from workbench.data.rows import Problem, columns_of, row_refusal, rows_of
from workbench.data.sources import read
from workbench.data.table import Table
from workbench.errors import WorkbenchError
from workbench.recipe import Recipe
from workbench.recipe.model import short_name
from workbench.tasks import TASKS, Task
from workbench.tasks.task import Reading, Row
from workbench.text import count

Found = TypeVar("Found")

LABELS_NAMED = 10
"""How many labels of a set are named."""


@dataclass(frozen=True)
class Source:
    """One of the sets of a recipe, counted from 0, as the recipe has it.

    `name` tells its rows from those of the others, where there are any; `columns` is None where the task names them.
    """

    number: int
    name: str
    train: str
    weight: float
    columns: Mapping[str, str] | None
    labels: Mapping[str, str]

    @property
    def title(self) -> str:
        """What stands before what is said of the set, where there are several."""
        return f"{self.name}: " if self.name else ""


@dataclass(frozen=True)
class Opened:
    """A set with its rows: which columns are read (role → column), and how they are, where there are several sets.

    `names` are those of the labels 0, 1, 2, …, which `named_by` gives.
    """

    source: Source
    table: Table
    chosen: dict[str, str]
    names: list[str]
    named_by: str
    notes: list[str]
    read: Reading | None = None

    def rows(self) -> Iterator[Row]:
        """Yield the rows as role → value, as all sets have them."""
        rows = rows_of(self.table, self.chosen)
        return map(self.read, rows) if self.read else rows

    def names_used(self, task: Task) -> list[str]:
        """Return whether the names of the labels are used, where there are any."""
        if not self.names:
            return []
        known = task.learned.get("labels", [])
        alone = "names" in task.learned or set(known) <= set(self.names)
        fits = not set(known).isdisjoint(self.names) if self.read else alone
        used = "names the labels" if fits else "does not fit the labels and is not used"
        return [f"{self.source.title}{self.named_by} {used}"]


def sources_of(recipe: Recipe) -> list[Source]:
    """Return the sets of a recipe, the one that `data.train` names first; each has a name of its own."""
    data = recipe.data
    if not data.also:
        return [Source(0, "", data.train, data.weight, None, {})]
    names: list[str] = []
    for train in (data.train, *(also.train for also in data.also)):
        name = short_name(train)
        alike = (f"{name}-{number}" if number > 1 else name for number in range(1, len(data.also) + 2))
        names.append(next(each for each in alike if each not in names))
    others = (
        Source(number, names[number], also.train, also.weight, also.columns, also.labels)
        for number, also in enumerate(data.also, 1)
    )
    return [Source(0, names[0], data.train, data.weight, None, {}), *others]


def open_sets(recipe: Recipe, cache: Path, problems: list[Problem]) -> list[Opened]:
    """Read the rows of every set, and find its columns: where it names none, those of the first set or usual ones.

    Raise a WorkbenchError that names the set which cannot be read; rows that cannot be used are added to `problems`.
    """
    opened: list[Opened] = []
    for source in sources_of(recipe):
        table = read(source.train, cache)
        guesses: list[str] = []
        like = opened[0].chosen if opened else None
        chosen = columns_of(recipe, table, guesses, like, source.columns)
        names, named_by, notes = label_names(source.train, table, chosen)
        opened.append(Opened(source, table, chosen, names, named_by, [*table.notes, *guesses, *notes]))
    if len(opened) == 1:
        return opened
    return [replace(each, read=_reading(recipe, each, problems)) for each in opened]


def learn_task(recipe: Recipe, opened: Sequence[Opened], problems: list[Problem]) -> Task:
    """Return the task after a look at the training rows of all sets.

    Raise a WorkbenchError where one cannot be read.
    """
    kind = TASKS[recipe.task.name]
    names = opened[0].names if len(opened) == 1 else []
    return _told(
        lambda: kind.learn(recipe.task, chain.from_iterable(each.rows() for each in opened), names),
        lambda row: kind.learn(recipe.task, [row], []),
        opened,
        problems,
    )


def fitting_notes(task: Task, opened: Sequence[Opened], parts: Sequence[Sequence[Example]]) -> list[str]:
    """Return what is to be known of several sets: their rows, how often these are seen, and labels of one set alone.

    Raise a WorkbenchError that names a set which has no label in common with those before it.
    """
    notes: list[str] = []
    known: dict[str, None] = {}
    for each, examples in zip(opened, parts, strict=True):
        source = each.source
        often = f", each seen {source.weight:g} times an epoch" if source.weight != 1 else ""
        notes += [f"{source.title}{count(len(examples))} rows{often}"] if source.name or often else []
        found = [label for label, number in task.count_golds(examples).items() if number]
        if known and found and known.keys().isdisjoint(found):
            raise WorkbenchError(
                f"its labels ({_listed(found)}) are none of those of the sets before it ({_listed(known)})",
                where=f"data.also.{source.number - 1}: {each.table.where}",
                hint=f'Say which is which: labels = {{ "{found[0]}" = "{next(iter(known))}", … }}.',
                code="unlike-labels",
            )
        new = [label for label in found if known and label not in known]
        notes += [f"{source.title}adds the labels {_listed(new)}"] if new else []
        unused = [label for label, name in source.labels.items() if name not in found]
        notes += [f"{source.title}no row has the labels {_listed(unused)} that are to be renamed"] if unused else []
        known |= dict.fromkeys(found)
    return notes


def label_names(source: str, table: Table, chosen: dict[str, str]) -> tuple[list[str], str, list[str]]:
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


def _reading(recipe: Recipe, opened: Opened, problems: list[Problem]) -> Reading:
    """Return how the rows of a set are read to be merged with others."""
    kind, labels = TASKS[recipe.task.name], opened.source.labels
    return _told(
        lambda: kind.reading(recipe.task, opened.rows(), opened.names, labels),
        lambda row: kind.reading(recipe.task, [row], [], {}),
        [opened],
        problems,
    )


def _told(
    look: Callable[[], Found], look_at: Callable[[Row], Any], opened: Sequence[Opened], problems: list[Problem]
) -> Found:
    """Return what `look` finds in all rows of some sets.

    Where it cannot be found, raise a WorkbenchError that names the rows which `look_at` cannot read.
    """
    where = opened[0].table.where
    try:
        return look()
    except RowProblem as problem:
        for each in opened:
            problems += _unreadable(look_at, each)
        if not problems:
            # What is wrong with all rows together is wrong with none of them alone.
            what = f"column {opened[0].chosen[problem.role]!r} {problem.what}"
            raise WorkbenchError(what, where, problem.hint, problem.code) from None
        raise row_refusal(problems) from None
    except WorkbenchError as error:
        raise WorkbenchError(error.what, where, error.hint, error.code) from None


def _unreadable(look_at: Callable[[Row], Any], opened: Opened) -> Iterator[Problem]:
    for number, row in enumerate(rows_of(opened.table, opened.chosen), 1):
        try:
            look_at(opened.read(row) if opened.read else row)
        except RowProblem as problem:
            yield Problem(opened.table.where, number, opened.chosen[problem.role], problem)
        except WorkbenchError:
            continue


def _listed(labels: Iterable[str]) -> str:
    named = list(labels)
    more = len(named) - LABELS_NAMED
    return ", ".join(named[:LABELS_NAMED]) + (f" and {more} more" if more > 0 else "")
