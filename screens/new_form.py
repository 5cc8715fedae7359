"""The form of a new run: what is chosen so far, its fields read from the recipe, no widget."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from store.runs import Run
from workbench import recipe as recipes
from workbench.catalog import TASKS, BackboneCard, why_senseless
from workbench.errors import WorkbenchError
from workbench.recipe import Recipe
from workbench.strategies import STRATEGIES as STRATEGY_CLASSES
from workbench.tasks import TASKS as TASK_CLASSES
from workbench.text import plural

CHOICES = ("task.name", "backbone.name", "strategy.name")
DATA = ("data.train", "data.validation", "data.validation_share", "data.rows")
MORE_DATA = ("data.per_class", "data.also", "data.weight")
"""Settings about data that stand behind the columns."""

BELONGS = {"task.name": "task.", "data.train": "task.", "strategy.name": "strategy.", "backbone.name": "backbone."}
"""What a choice makes meaningless when it changes: the settings of the table."""

PATHS = ("data.train", "data.validation", "backbone.name", "strategy.texts")
SETS = "data.also"
"""The setting that is a list of tables: it is shown, and changed in TOML."""
STARTER = "starter:sentiment"
TABLES: dict[str, dict[str, Any]] = {"task": TASK_CLASSES, "strategy": STRATEGY_CLASSES}
"""The tables of the recipe of which there are several kinds."""
READY = ("bert", "distilbert", "roberta", "electra", "mpnet", "deberta-v2")
"""Architectures of which the smallest cached one is offered first."""
_LARGEST_OFFERED = 150_000_000


@dataclass(frozen=True)
class Field:
    """One setting: `value` is None where it is left open; `kind` is choice, number, text, path or tables."""

    path: str
    help: str
    kind: str
    value: Any
    default: Any
    changed: bool
    choices: tuple[str, ...] = ()
    optional: bool = False

    @property
    def label(self) -> str:
        """The setting in words: learning rate; of checkpoints and hardware with the table in front."""
        table, _, key = self.path.rpartition(".")
        words = key.replace("_", " ")
        if any(self.path == f"task.{role}" for card in TASKS.values() for role in card.roles):
            return f"{words} column"
        return f"{table} {words}" if table in ("augment", "checkpoint", "evaluation") else words

    @property
    def shown(self) -> str:
        """The value as a person types it."""
        return say(self.value)


@dataclass(frozen=True)
class Draft:
    """What was chosen so far: path → value, the rest is at its default."""

    settings: Mapping[str, Any] = field(default_factory=dict)

    def get(self, path: str) -> Any:
        """Return what was chosen for a path, or None."""
        return self.settings.get(path)

    def choose(self, path: str, value: Any) -> Draft:
        """Return the draft with a value set; what belonged to the former strategy or data goes.

        With another task comes its own starter set, where the data are one. A strategy that makes no sense with
        another task or backbone gives way to full fine-tuning.
        """
        kept = dict(self.settings)
        if kept.get(path) != value:
            gone = BELONGS.get(path)
            kept = {key: old for key, old in kept.items() if not (gone and key.startswith(gone) and key not in CHOICES)}
        if path == "task.name" and str(kept.get("data.train", "")).startswith("starter:") and value in TASKS:
            kept["data.train"] = f"starter:{TASKS[value].starter}" if TASKS[value].starter else kept["data.train"]
        draft = Draft({**kept, path: value})
        return draft.choose("strategy.name", "full") if path != "strategy.name" and draft.senseless() else draft

    def senseless(self, strategy: str | None = None) -> str:
        """Return why a strategy, by default the chosen one, makes no sense with the task and backbone, or nothing."""
        task, chosen, backbone = (str(self.get(path)) for path in ("task.name", "strategy.name", "backbone.name"))
        return why_senseless(task, strategy or chosen, backbone)

    def without(self, path: str) -> Draft:
        """Return the draft with a setting back at its default."""
        return Draft({key: value for key, value in self.settings.items() if key != path})

    def plain(self) -> Draft:
        """Return the draft with every setting at its default but task, data, backbone, strategy and what that needs."""
        kept = (*CHOICES, "data.train", "data.validation", *_needed(str(self.get("strategy.name"))))
        return Draft({key: value for key, value in self.settings.items() if key in kept})

    def type(self, path: str, text: str) -> Draft:
        """Return the draft with what was typed for a setting; nothing typed is the default.

        Raise a WorkbenchError with the recipe's own words where the value is not allowed.
        """
        entry = find(self, path)
        typed = text.strip()
        if not typed and path in (*CHOICES, "data.train", *_needed(str(self.get("strategy.name")))):
            raise WorkbenchError("it must be given")
        if not typed:
            return self.without(path)
        value = None if typed.lower() == "none" and entry.optional else _read(typed, entry)
        draft = self.choose(path, value)
        problem = draft.problem(path)
        if problem:
            raise WorkbenchError(problem)
        return draft

    def problem(self, path: str) -> str:
        """Return what the recipe says against the value of one setting, or nothing."""
        said = [line for line in self.problems() if line.startswith(f"{path}:")]
        return said[0].removeprefix(f"{path}:").strip() if said else ""

    def problems(self) -> list[str]:
        """Return everything that the recipe says against the draft, one line each."""
        try:
            self.recipe()
        except WorkbenchError as error:
            return error.what.splitlines()
        return []

    def recipe(self) -> Recipe:
        """Return the recipe; raise a WorkbenchError that names every wrong or missing field."""
        return recipes.parse(recipes.anchor(self.raw(), Path.cwd()))

    def raw(self) -> dict[str, Any]:
        """Return the nested tables of what was chosen."""
        nested: dict[str, Any] = {}
        for path, value in self.settings.items():
            *tables, key = path.split(".")
            table = nested
            for name in tables:
                table = table.setdefault(name, {})
            table[key] = value
        return nested

    def toml(self) -> str:
        """Return the whole recipe as TOML, or what was chosen where it is not yet one."""
        try:
            return self.recipe().to_toml()
        except WorkbenchError:
            import tomli_w

            return tomli_w.dumps(_without_none(self.raw()))


def from_toml(text: str) -> Draft:
    """Return the draft of a recipe in TOML; raise a WorkbenchError where it is none."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise WorkbenchError(f"not valid TOML: {error}", where="recipe") from None
    return from_recipe(recipes.parse(recipes.anchor(raw, Path.cwd())))


def from_recipe(recipe: Recipe) -> Draft:
    """Return the draft in which only what differs from the defaults is set."""
    flat = recipe.flat()
    chosen = {path: flat.get(path) for path in (*CHOICES, "data.train", *_needed(recipe.strategy.name))}
    changed = {path: flat[path] for path in flat if path in recipe.changed() and path not in chosen}
    return Draft(chosen | changed | ({"name": recipe.name} if recipe.name else {}))


def step_choice(draft: Draft, entry: Field, by: int) -> Draft:
    """Return the draft with the next or former choice of a setting; one that may be left open has that as well."""
    choices: list[str | None] = [*([None] if entry.optional else []), *entry.choices]
    place = choices.index(entry.value) if entry.value in choices else 0
    value = choices[(place + by) % len(choices)]
    return draft.without(entry.path) if value == entry.default else draft.choose(entry.path, value)


def recipe_of(run: Run) -> Recipe | None:
    """Return the recipe of a run, or None where this version cannot read it."""
    try:
        return recipes.loads(run.recipe)
    except WorkbenchError:
        return None


def first_draft(latest: Recipe | None, cards: Sequence[BackboneCard]) -> Draft:
    """Return the draft a new form begins with: all of the latest run but its name, else what needs no network."""
    if latest is not None:
        draft = from_recipe(latest).without("name")
        known = {card.name: card for card in cards}
        usable = latest.backbone.name not in known or not known[latest.backbone.name].problem
        return draft if usable else draft.choose("backbone.name", offered(cards))
    names = {"task.name": "sentiment", "data.train": STARTER, "strategy.name": "full"}
    return Draft({**names, "backbone.name": offered(cards)})


def offered(cards: Sequence[BackboneCard]) -> str:
    """Return the backbone to begin with: the smallest ready one on this box, else the one that ships."""
    ready = [
        card for card in cards
        if card.where in ("cached", "folder") and card.architecture in READY and card.parameters and not card.problem
    ]  # fmt: skip
    small = [card for card in ready if (card.parameters or 0) <= _LARGEST_OFFERED]
    return min(small, key=lambda card: card.parameters or 0).name if small else "starter:tiny"


def find(draft: Draft, path: str) -> Field:
    """Return one setting of the form."""
    return next(entry for entry in fields(draft) if entry.path == path)


def data_fields(draft: Draft) -> list[Field]:
    """Return the settings about data, the file first."""
    known = {entry.path: entry for entry in fields(draft)}
    card = TASKS.get(str(draft.get("task.name")))
    columns = [f"task.{role}" for role in (card.roles if card else ())]
    return [known[path] for path in (*DATA, *columns, *MORE_DATA)]


def setting_fields(draft: Draft) -> list[Field]:
    """Return the other settings: the strategy's own first, then training."""
    tables = (
        *("strategy", "task", "training", "evaluation", "augment", "seed", "name", "checkpoint", "hardware"),
        "backbone",
    )
    shown = {*CHOICES, *(entry.path for entry in data_fields(draft))}
    others = [entry for entry in fields(draft) if entry.path not in shown]
    return sorted(others, key=lambda entry: tables.index(entry.path.partition(".")[0]))


def fields(draft: Draft) -> list[Field]:
    """Return every setting of the recipe as the draft has it."""
    values, defaults = _values(draft), _values(draft.plain())
    return [_field(path, info, draft, values.get(path), defaults.get(path)) for path, info in _infos(Recipe, "", draft)]


def say(value: Any) -> str:
    """Return a setting's value in words: — where it is left open."""
    if isinstance(value, (list, tuple)):
        return plural(len(value), "more set") if value else "—"
    return "—" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _needed(strategy: str) -> tuple[str, ...]:
    """Return the settings of a strategy that have no default."""
    fields = STRATEGY_CLASSES[strategy].Options.model_fields if strategy in STRATEGY_CLASSES else {}
    return tuple(f"strategy.{key}" for key, info in fields.items() if info.is_required())


def _values(draft: Draft) -> dict[str, Any]:
    """Return path → value over the defaults, also where the draft is not yet a recipe."""
    defaults: dict[str, Any] = {
        path: info.default for path, info in _infos(Recipe, "", draft) if not info.is_required()
    }
    try:
        return defaults | draft.recipe().flat() | {"name": draft.get("name")}
    except WorkbenchError:
        return defaults | dict(draft.settings)


def _infos(model: type[BaseModel], prefix: str, draft: Draft) -> Iterator[tuple[str, Any]]:
    for key, info in model.model_fields.items():
        part = _table(draft, key) if not prefix and key in TABLES else info.annotation
        if isinstance(part, type) and issubclass(part, BaseModel):
            yield from _infos(part, f"{prefix}{key}.", draft)
        else:
            yield prefix + key, info


def _table(draft: Draft, table: str) -> type[BaseModel]:
    """Return the table of the task or strategy chosen."""
    kinds = TABLES[table]
    part: type[BaseModel] = kinds.get(str(draft.get(f"{table}.name")), next(iter(kinds.values()))).Options
    return part


def _field(path: str, info: Any, draft: Draft, value: Any, default: Any) -> Field:
    options = _options(info.annotation)
    literals = tuple(str(word) for option in options if get_origin(option) is Literal for word in get_args(option))
    if path == "evaluation.metric":
        literals = tuple(TASKS[draft.get("task.name") or next(iter(TASKS))].metrics)
    if path in ("task.name", "strategy.name"):
        literals = tuple(TABLES[path.partition(".")[0]])
    kind = (
        "choice" if literals else "tables" if path == SETS else "path" if path in PATHS
        else "number" if {int, float} & set(options) else "text"
    )  # fmt: skip
    changed = path not in CHOICES and path in draft.settings and value != default
    return Field(path, info.description or "", kind, value, default, changed, literals, type(None) in options)


def _options(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)


def _read(typed: str, entry: Field) -> Any:
    if entry.kind != "number":
        return typed
    for kind in (int, float):
        try:
            return kind(typed.replace(" ", ""))
        except ValueError:
            continue
    return typed


def _without_none(table: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _without_none(value) if isinstance(value, Mapping) else value
        for key, value in table.items()
        if value is not None
    }
