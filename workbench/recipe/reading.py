"""Read a recipe: from a TOML file, from text, with settings laid over it."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from workbench.data.locating import pair_of
from workbench.errors import WorkbenchError
from workbench.models.handover import GIVEN
from workbench.recipe.explaining import explain
from workbench.recipe.model import FIRST_WORDS, Recipe

DEEPEST = 10
MODELS = tuple(setting.split(".") for setting in GIVEN)
"""The settings that name a model: a folder, a Hub id or a run."""


def parse(raw: Mapping[str, Any], where: str = "recipe") -> Recipe:
    """Validate a recipe; raise a WorkbenchError that names every wrong field, its value and what is allowed."""
    try:
        return Recipe.model_validate(raw)
    except ValidationError as error:
        problems = [explain(dict(detail)) for detail in error.errors()]
        raise WorkbenchError("\n".join(problems), where=where, hint="Mend the recipe and try again.") from None


def loads(text: str, where: str = "recipe") -> Recipe:
    """Read a recipe from TOML text whose paths are absolute."""
    return parse(_read_toml(text, where), where)


def load(path: Path, settings: Iterable[str] = ()) -> Recipe:
    """Read a recipe from a TOML file, with `key=value` settings laid over it.

    Paths in the file are relative to its folder; paths in `settings` to the current folder.
    """
    return parse(read_raw(path, settings), str(path))


def read_raw(path: Path, settings: Iterable[str] = ()) -> dict[str, Any]:
    """Read what `load` does, not yet validated: absolute paths, tables in the place of words alone."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise WorkbenchError(f"cannot read the recipe: {reason}", where=str(path)) from error
    raw = anchor(_read_toml(text, str(path)), path.resolve().parent)
    return overlay(raw, settings)


def overlay(raw: Mapping[str, Any], settings: Iterable[str]) -> dict[str, Any]:
    """Return the raw recipe with `table.key=value` settings laid over it; values are TOML, else plain words."""
    laid = anchor(raw, Path.cwd())
    for setting in settings:
        path, equals, text = setting.partition("=")
        if not equals or not path:
            raise WorkbenchError(
                f"{setting!r} is not key=value", where="--set", hint="Example: --set training.epochs=2"
            )
        *tables, key = path.strip().split(".")
        change: Any = {key: _value(text)}
        for table in reversed(tables):
            change = {table: change}
        _merge(laid, anchor(change, Path.cwd()))
    return laid


def anchor(raw: Mapping[str, Any], base: Path) -> dict[str, Any]:
    """Return the raw recipe with its relative paths made absolute from `base`."""
    anchored = {key: dict(value) if isinstance(value, Mapping) else value for key, value in raw.items()}
    for table, key in FIRST_WORDS.items():
        if isinstance(anchored.get(table), str):
            anchored[table] = {key: anchored[table]}
    data = anchored.get("data")
    if isinstance(data, dict):
        for key in ("train", "validation"):
            if isinstance(data.get(key), str):
                data[key] = _anchored_source(data[key], base, f"data.{key}")
        if isinstance(data.get("also"), (list, tuple)):
            data["also"] = [_anchored_set(each, base, number) for number, each in enumerate(data["also"])]
    for table, key in MODELS:
        name = anchored[table].get(key) if isinstance(anchored.get(table), dict) else None
        if isinstance(name, str) and (
            name.startswith((".", "/", "~")) or (":" not in name and os.path.isdir(base / name))
        ):
            anchored[table][key] = _absolute(name, base, f"{table}.{key}")
    strategy = anchored.get("strategy")
    if isinstance(strategy, dict) and isinstance(strategy.get("texts"), str):
        strategy["texts"] = _anchored_source(strategy["texts"], base, "strategy.texts")
    return anchored


def _anchored_set(also: Any, base: Path, number: int) -> Any:
    """Return one more set of data with its source anchored; a text alone is its source."""
    table = {"train": also} if isinstance(also, str) else also
    if not isinstance(table, Mapping) or not isinstance(table.get("train"), str):
        return table
    return {**table, "train": _anchored_source(table["train"], base, f"data.also.{number}.train")}


def _anchored_source(source: str, base: Path, where: str) -> str:
    """Return a source of data whose path, if it has one, is absolute; `sqlite:FILE#QUERY` and
    `parallel:FILE,FILE` have, `hub:ID` has none.
    """
    kind, colon, rest = source.partition(":")
    if not colon:
        return _absolute(source, base, where)
    if kind == "sqlite":
        file, mark, query = rest.partition("#")
        return f"sqlite:{_absolute(file, base, where)}{mark}{query}"
    if kind == "parallel":
        return "parallel:" + ",".join(_absolute(file, base, where) if file else "" for file in pair_of(rest, base))
    return source


def _absolute(path: str, base: Path, where: str) -> str:
    try:
        return str((base / Path(path).expanduser()).resolve())
    except (RuntimeError, ValueError, OSError) as error:
        raise WorkbenchError(f"{path!r} cannot be a path: {error}", where=where) from error


def _read_toml(text: str, where: str) -> dict[str, Any]:
    try:
        raw = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise WorkbenchError(f"not valid TOML: {error}", where=where) from error
    if _depth(raw) > DEEPEST:
        raise WorkbenchError("tables in tables in tables: no recipe is that deep", where=where)
    return raw


def _depth(value: Any) -> int:
    """Return how many tables or lists stand in each other, no further than a recipe could go."""
    layer, depth = [value], 0
    while layer and depth <= DEEPEST:
        depth += 1
        tables = (each.values() if isinstance(each, dict) else each for each in layer if isinstance(each, (dict, list)))
        layer = [entry for table in tables for entry in table]
    return depth


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text


def _merge(into: dict[str, Any], change: Mapping[str, Any]) -> None:
    for key, value in change.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value
