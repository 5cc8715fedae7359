"""One recipe spread over values of its settings: `strategy=full,gradual` times `seed=1,2,3` is six recipes. Light."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from pathlib import PurePath
from typing import Any

from workbench.errors import WorkbenchError
from workbench.recipe import Recipe, overlay, parse
from workbench.recipe.explaining import CHOICES
from workbench.recipe.model import FIRST_WORDS, short_name

MOST = 1000
"""Runs that a group may have: more is a slip of the fingers."""

NAMED = 5
"""How many combinations that cannot be are named."""

_OPENING, _CLOSING = "[{", "]}"


@dataclass(frozen=True)
class Axis:
    """A setting and the values it takes, as typed."""

    key: str
    values: tuple[str, ...]

    @property
    def path(self) -> str:
        """The setting's whole path: strategy.name where `strategy` was typed."""
        return f"{self.key}.{FIRST_WORDS[self.key]}" if self.key in FIRST_WORDS else self.key


@dataclass(frozen=True)
class Spread:
    """The recipes of a group; `label` is what the group is called, `notes` say what was left out of which."""

    axes: tuple[Axis, ...]
    label: str
    recipes: tuple[Recipe, ...]
    notes: tuple[str, ...]

    @property
    def words(self) -> str:
        """How many runs it is, and why: 36 runs: strategy 3 × seed 3 × data.rows 4."""
        return f"{len(self.recipes)} runs: {' × '.join(f'{axis.key} {len(axis.values)}' for axis in self.axes)}"


def read_axis(text: str) -> Axis:
    """Read `key=value,value,…`; commas inside quotes, brackets and braces part nothing.

    Raise a WorkbenchError where it is not of that form, or names a value twice.
    """
    key, equals, listed = (part.strip() for part in text.partition("="))
    values = tuple(value.strip() for value in parted(listed))
    if not equals or not key or not all(values):
        raise WorkbenchError(f"{text!r} is not key=value,value,…", where="over", hint="Example: seed=1,2,3")
    twice = [value for value, times in Counter(values).items() if times > 1]
    if twice:
        raise WorkbenchError(f"{key}={twice[0]} is named twice", where="over")
    return Axis(key, values)


def spread(raw: Mapping[str, Any], typed: Iterable[str], where: str = "recipe") -> Spread:
    """Return the recipes of every combination of the values over a raw recipe whose paths are absolute.

    Options of a task or strategy that another one has not are left out there. Raise a WorkbenchError that names every
    combination that makes no recipe, and why.
    """
    axes = tuple(read_axis(text) for text in typed if text)
    _refuse_many(axes)
    # A choice comes before the settings that belong to it.
    ordered = sorted(axes, key=lambda axis: axis.path not in _choices())
    notes: dict[str, list[str]] = {}
    label = _label(raw, axes)
    recipes: list[Recipe] = []
    refused: list[str] = []
    for values in product(*(axis.values for axis in axes)):
        chosen = dict(zip(axes, values, strict=True))
        fitting = _fitting(raw, chosen, notes)
        try:
            laid = overlay(fitting, [f"{axis.key}={chosen[axis]}" for axis in ordered])
            recipes.append(parse(laid | {"name": _name(label, chosen)}, where))
        except WorkbenchError as error:
            refused.append(f"{_combination(chosen)}: {error.what}")
    if refused:
        more = [f"and {len(refused) - NAMED} more"] if len(refused) > NAMED else []
        words = "\n".join([*refused[:NAMED], *more])
        raise WorkbenchError(words, where=where, hint="Nothing was queued. Leave out what makes no sense together.")
    _refuse_twins(recipes, where)
    return Spread(axes, label, tuple(recipes), tuple(_note(key, sorted(set(names))) for key, names in notes.items()))


def _refuse_many(axes: Sequence[Axis]) -> None:
    if not axes:
        raise WorkbenchError("nothing to spread over", where="over", hint="Example: seed=1,2,3")
    twice = [path for path, times in Counter(axis.path for axis in axes).items() if times > 1]
    if twice:
        raise WorkbenchError(f"{twice[0]} is spread over twice", where="over", hint="Name all its values at once.")
    total = prod(len(axis.values) for axis in axes)
    if total > MOST:
        raise WorkbenchError(f"that is {total} runs; a group has at most {MOST}", where="over")


def _refuse_twins(recipes: Sequence[Recipe], where: str) -> None:
    seen: dict[str, str] = {}
    for recipe in recipes:
        if (twin := seen.get(recipe.hash())) is not None:
            raise WorkbenchError(f"{twin} and {recipe.label} are the same run", where=where, hint="Name it once.")
        seen[recipe.hash()] = recipe.label


def _choices() -> set[str]:
    return {f"{table}.name" for table in CHOICES}


def _fitting(raw: Mapping[str, Any], chosen: Mapping[Axis, str], notes: dict[str, list[str]]) -> dict[str, Any]:
    """Return the raw recipe without the options that the task and strategy chosen have not; `notes` is told them."""
    fitting = dict(raw)
    for axis, value in chosen.items():
        table = axis.path.partition(".")[0]
        given = fitting.get(table)
        kind = CHOICES.get(table, {}).get(value.strip("\"'"))
        if axis.path not in _choices() or kind is None or not isinstance(given, Mapping):
            continue
        known = kind.Options.model_fields
        own = CHOICES[table].get(str(given.get("name")))
        defaults = {key: info.default for key, info in own.Options.model_fields.items()} if own is not None else {}
        for key in given.keys() - known.keys():
            if key not in defaults or given[key] != defaults[key]:
                notes.setdefault(f"{table}.{key}", []).append(value)
        fitting[table] = {key: option for key, option in given.items() if key in known}
    return fitting


def _note(key: str, names: Sequence[str]) -> str:
    return f"{key} is left out for {', '.join(names)}: no setting of theirs"


def _label(raw: Mapping[str, Any], axes: Sequence[Axis]) -> str:
    """Return what a group is called: the recipe's name, or its data with the strategy where that is one for all."""
    name = raw.get("name")
    if isinstance(name, str) and name:
        return name
    over = {axis.path for axis in axes}
    words = [
        "" if "data.train" in over else short_name(_text(raw, "data", "train")),
        "" if "strategy.name" in over else _text(raw, "strategy", "name"),
    ]
    return "-".join(word for word in words if word) or "group"


def _text(raw: Mapping[str, Any], table: str, key: str) -> str:
    value = raw.get(table)
    value = value.get(key) if isinstance(value, Mapping) else value
    return value if isinstance(value, str) else ""


def _name(label: str, chosen: Mapping[Axis, str]) -> str:
    """Return what a run is called: the group, then what tells it apart: sst2-gradual-seed1."""
    return "-".join([label, *(_word(axis, value) for axis, value in chosen.items())])[:200]


def _word(axis: Axis, value: str) -> str:
    bare = value.strip("\"'")
    if axis.path.rpartition(".")[2] in ("name", "train"):
        return PurePath(bare.rpartition(":")[2]).name or bare
    return f"{axis.path.rpartition('.')[2]}{bare}"


def _combination(chosen: Mapping[Axis, str]) -> str:
    return ", ".join(f"{axis.key}={value}" for axis, value in chosen.items())


def parted(listed: str, at: str = ",") -> list[str]:
    """Return the parts of a text between the commas, or another mark, that stand in no quotes, brackets or braces."""
    parts, depth, quote = [""], 0, ""
    for char in listed:
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char in _OPENING + _CLOSING:
            depth += 1 if char in _OPENING else -1
        if char == at and depth <= 0 and not quote:
            parts.append("")
        else:
            parts[-1] += char
    return parts
