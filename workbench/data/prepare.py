"""From a recipe to texts and labels: the same for the report before a run and for the run itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from workbench.data.batching import default_evaluation, sample, split, updates_per_epoch
from workbench.data.columns import choose_columns
from workbench.data.sources import locate, read, values_of
from workbench.errors import WorkbenchError
from workbench.recipe import Recipe
from workbench.tasks import TASKS, Task


@dataclass(frozen=True)
class Examples:
    """Texts and the numbers of their labels."""

    texts: list[str]
    gold: list[int]


@dataclass(frozen=True)
class Prepared:
    """What a recipe's data come to. `columns` are those of the training file; `chosen` maps role → column."""

    task: Task
    train: Examples
    validation: Examples
    columns: list[str]
    chosen: dict[str, str]
    notes: list[str]

    @property
    def eval_set(self) -> str:
        """A name made of the evaluation set's content: equal sets have equal names."""
        return _digest([self.validation.texts, self.validation.gold, self.task.describe()])

    @property
    def fingerprint(self) -> str:
        """A name made of all that is trained and evaluated on: what a resumed run must find again."""
        return _digest([self.train.texts, self.train.gold, self.eval_set])


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode("ascii")).hexdigest()[:16]


@dataclass(frozen=True)
class Length:
    """How long a run is, in updates."""

    updates: int
    per_epoch: int
    evaluate_every: int


def length_of(recipe: Recipe, data: Prepared) -> Length:
    """Return how long a recipe's run on these data is."""
    training, rows = recipe.training, len(data.train.texts)
    per_epoch = updates_per_epoch(rows, training.batch_size, training.accumulation)
    update_rows = training.batch_size * training.accumulation
    every = recipe.evaluation.every or default_evaluation(per_epoch, update_rows, len(data.validation.texts))
    return Length(ceil(per_epoch * training.epochs), per_epoch, every)


def prepare(recipe: Recipe, cache: Path) -> Prepared:
    """Read and check the data of a recipe; raise a WorkbenchError that names the file, the column and the row."""
    train_path = locate(recipe.data.train)
    columns, chosen, texts, labels = _read_columns(recipe, train_path, cache)
    names, notes = _label_names(train_path)
    task = TASKS[recipe.task.name].from_labels(labels, names)
    if names:
        known = task.describe()["labels"]
        used = "names the labels" if known == names[: len(known)] else "does not fit the labels and is not used"
        notes.append(f"labels.txt beside the data {used}")
    validation_path = _validation_path(recipe)
    if validation_path:
        _, _, validation_texts, validation_labels = _read_columns(recipe, validation_path, cache)
        validation = Examples(validation_texts, task.gold(validation_labels, str(validation_path)))
        kept = sample(len(texts), recipe.data.rows, recipe.seed)
    else:
        kept, held_out = split(len(texts), recipe.data.validation_share, recipe.seed)
        if not kept:
            raise WorkbenchError("too few rows to set some aside for evaluation", where=str(train_path))
        validation = _pick(texts, task.gold(labels, str(train_path)), held_out)
        kept = [kept[number] for number in sample(len(kept), recipe.data.rows, recipe.seed)]
        notes.append(f"{len(held_out)} of {len(texts)} rows are set aside for evaluation")
    if recipe.data.rows and recipe.data.rows > len(kept):
        notes.append(f"data.rows asks for {recipe.data.rows}, there are {len(kept)}")
    train = _pick(texts, task.gold(labels, str(train_path)), kept)
    shared = len(set(train.texts) & set(validation.texts))
    if shared:
        notes.append(f"{shared} evaluation texts stand in the training rows too: the scores flatter")
    return Prepared(task, train, validation, columns, chosen, notes)


def _validation_path(recipe: Recipe) -> Path | None:
    if recipe.data.validation:
        return locate(recipe.data.validation, "validation")
    return locate(recipe.data.train, "validation") if recipe.data.train.startswith("starter:") else None


def _read_columns(recipe: Recipe, path: Path, cache: Path) -> tuple[list[str], dict[str, str], list[str], list[Any]]:
    rows = read(path, cache)
    named = {"text": recipe.task.text, "label": recipe.task.label}
    chosen = choose_columns(recipe.task.name, named, rows.column_names, str(path))
    texts, labels = (values_of(rows, chosen[role], path) for role in ("text", "label"))
    _refuse_missing(texts, chosen["text"], str(path), must_be_text=True)
    _refuse_missing(labels, chosen["label"], str(path), must_be_text=False)
    return rows.column_names, chosen, texts, labels


def _refuse_missing(values: Sequence[Any], column: str, where: str, *, must_be_text: bool) -> None:
    for row, value in enumerate(values, 1):
        if value is None or (isinstance(value, str) and not value.strip()):
            problem = f"row {row}: column {column!r} is empty"
        elif must_be_text and not isinstance(value, str):
            problem = f"row {row}: column {column!r} holds {type(value).__name__}, not text"
        elif not must_be_text and isinstance(value, (list, dict)):
            problem = f"row {row}: column {column!r} holds {type(value).__name__}, not one label"
        else:
            continue
        raise WorkbenchError(problem, where=where, hint="Mend or remove such rows, or name another column.")


def _label_names(train_path: Path) -> tuple[list[str], list[str]]:
    file = train_path.with_name("labels.txt")
    if not file.is_file():
        return [], []
    try:
        names = [line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError):
        return [], [f"{file} is there but cannot be read"]
    return names, []


def _pick(texts: Sequence[str], gold: Sequence[int], numbers: Sequence[int]) -> Examples:
    return Examples([texts[number] for number in numbers], [gold[number] for number in numbers])
