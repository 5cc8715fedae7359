"""Whatever stands in a recipe, a person gets a recipe or an error meant for people."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as some

from workbench import recipe
from workbench.catalog import STRATEGIES
from workbench.errors import WorkbenchError
from workbench.recipe import Recipe

TABLES = {name: list(getattr(field.annotation, "model_fields", {})) for name, field in Recipe.model_fields.items()}
KEYS = sorted({*TABLES, *(key for keys in TABLES.values() for key in keys), *STRATEGIES, "lr"})
PLAIN = {"task": "sentiment", "data": "starter:sentiment", "backbone": "size:tiny", "strategy": "full"}

words = some.sampled_from([*KEYS, *STRATEGIES, "~nobody/x", "\x00", "size:", "./\x00", "starter:"]) | some.text(
    max_size=8
)
scalars = some.one_of(
    words, some.booleans(), some.integers(), some.floats(), some.none(), some.dates(), some.datetimes(), some.times()
)
keys = some.sampled_from(KEYS) | some.text(max_size=5)
anything = some.recursive(
    scalars, lambda inner: some.lists(inner, max_size=3) | some.dictionaries(keys, inner, max_size=4), max_leaves=8
)


def people_can_read(attempt: Any) -> None:
    try:
        made = attempt()
    except WorkbenchError:
        return
    assert recipe.loads(made.to_toml()) == made


@given(raw=some.dictionaries(keys, anything, max_size=6))
@settings(max_examples=100, deadline=None)
def test_any_table_gives_a_recipe_or_an_error_for_people(raw: dict[str, Any]) -> None:
    people_can_read(lambda: recipe.parse(raw))
    people_can_read(lambda: recipe.parse(PLAIN | raw))


def without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_none(entry) for key, entry in value.items() if entry is not None}
    return [without_none(entry) for entry in value if entry is not None] if isinstance(value, list) else value


@given(raw=some.dictionaries(keys, anything, max_size=4), settings_=some.lists(some.tuples(keys, words), max_size=2))
@settings(max_examples=100, deadline=None)
def test_any_toml_file_gives_a_recipe_or_an_error_for_people(
    tmp_path_factory: pytest.TempPathFactory, raw: dict[str, Any], settings_: list[tuple[str, str]]
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.toml"
    try:
        file.write_text(tomli_w.dumps(PLAIN | without_none(raw)), encoding="utf-8")
    except (ValueError, UnicodeEncodeError):
        return
    people_can_read(lambda: recipe.load(file, [f"{key}={value}" for key, value in settings_]))


@pytest.mark.parametrize(
    "raw",
    [
        {"data": "~nobody-of-this-name/train.csv"},
        {"data": "a\x00b.csv"},
        {"backbone": "~nobody-of-this-name/model"},
        {"backbone": "./a\x00b"},
        {"name": datetime.date(2020, 1, 1)},
        {"strategy": [1]},
    ],
)
def test_a_file_with_an_impossible_value_is_refused_in_words(tmp_path: Path, raw: dict[str, Any]) -> None:
    file = tmp_path / "r.toml"
    file.write_text(tomli_w.dumps(PLAIN | raw), encoding="utf-8")
    with pytest.raises(WorkbenchError):
        recipe.load(file)


def test_an_impossible_path_of_a_setting_is_refused_in_words() -> None:
    with pytest.raises(WorkbenchError):
        recipe.overlay(PLAIN, ["data=~nobody-of-this-name/x.csv"])
