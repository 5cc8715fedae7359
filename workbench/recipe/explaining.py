"""What is wrong with a recipe, in words."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, get_args

from workbench.recipe.model import Recipe
from workbench.strategies import STRATEGIES
from workbench.tasks import TASKS

LONGEST_SHOWN = 80
CHOICES: dict[str, dict[str, Any]] = {"task": TASKS, "strategy": STRATEGIES}
"""The tables of which there are several kinds, told apart by their name."""

WANTED = {
    "int_parsing": "a whole number, such as 300",
    "int_type": "a whole number, such as 300",
    "int_from_float": "a whole number, such as 300",
    "float_parsing": "a number, such as 0.5",
    "float_type": "a number, such as 0.5",
    "string_type": "a text",
    "model_type": "a table",
    "dict_type": "a table",
    "tuple_type": "a list of tables",
}
"""What a value should be, by pydantic's name of the problem, where its own words are a programmer's."""

ALIASES = {"lr": "learning_rate", "bs": "batch_size", "model": "backbone", "dataset": "data", "wd": "weight_decay"}


def explain(detail: dict[str, Any]) -> str:
    """Say one validation problem in words: the field, the value, what is allowed."""
    location = [str(part) for part in detail["loc"]]
    choices = CHOICES.get(location[0], {}) if location else {}
    if location[1:] and location[1] in choices:
        del location[1]
    path = ".".join(location)
    kind, value, context = detail["type"], detail.get("input"), detail.get("ctx", {})
    if kind == "extra_forbidden":
        keys = _keys(location[:-1], detail["loc"])
        near = difflib.get_close_matches(ALIASES.get(location[-1], location[-1]), keys, n=1, cutoff=0.5)
        known = f'did you mean "{near[0]}"?' if near else f"known are {', '.join(keys)}"
        return f"{path}: there is no such key; {known}"
    if kind == "missing":
        return f"{path}: missing; it must be given"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        named = value.get("name") if isinstance(value, Mapping) else value
        return f"{path}.name: {named!r} is not one of {', '.join(choices)}"
    if kind == "value_error":
        path, _, message = str(context["error"]).partition("\x00")
        return f"{path}: {message}"
    allowed = WANTED.get(kind) or detail["msg"].removeprefix("Input should be ").removeprefix("String should have ")
    return f"{path}: {_shown(value)} is not allowed; it should be {allowed}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def _keys(tables: list[str], location: tuple[Any, ...]) -> list[str]:
    """Return the keys that a table of the recipe may hold."""
    if tables and tables[0] in CHOICES:
        return list(CHOICES[tables[0]][location[1]].Options.model_fields)
    model: Any = Recipe
    for table in tables:
        if not table.isdigit():
            model = model.model_fields[table].annotation
            model = next(iter(get_args(model)), model)
    return list(model.model_fields)
