"""The README tells the truth: its keys are those of the table, its commands exist, its recipe is one."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path

from screens.keys import PLACES, Key, keys_of
from workbench.commands import COMMANDS
from workbench.recipe import Recipe, parse

README = Path(__file__).parents[1] / "README.md"
KEYS = re.compile(r"<!-- keys -->\n(.*?)<!-- /keys -->", re.DOTALL)


def key_table() -> str:
    """Return the README's table of keys, made from the one table of bindings. UPDATE_GOLDEN=1 writes it."""
    everywhere = {key.id for key in keys_of("runs")} & {key.id for key in keys_of("try")}
    lines = ["| place | keys |", "|---|---|"]
    for place, title in PLACES.items():
        keys = [key for key in keys_of(place) if key.id not in everywhere]
        lines.append(f"| {title} | {', '.join(words(key) for key in keys)} |")
    keys = [key for key in keys_of("runs") if key.id in everywhere]
    lines.append(f"| everywhere | {', '.join(words(key) for key in keys)} |")
    return "\n".join(lines) + "\n"


def words(key: Key) -> str:
    """Return a key and what it does."""
    return f"`{key.face}` {key.description.rstrip('…')}"


def test_the_keys_are_those_of_the_table() -> None:
    text = README.read_text(encoding="utf-8")
    if os.environ.get("UPDATE_GOLDEN") == "1":
        text = KEYS.sub(lambda _: f"<!-- keys -->\n{key_table()}<!-- /keys -->", text)
        README.write_text(text, encoding="utf-8")
    found = KEYS.search(text)
    assert found is not None
    assert found[1] == key_table()


def test_every_command_is_told() -> None:
    text = README.read_text(encoding="utf-8")
    assert [name for name in COMMANDS if f"`workbench {name}" not in text] == []


def test_the_recipe_is_one() -> None:
    blocks = re.findall(r"```toml\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    assert all(isinstance(parse(tomllib.loads(block)), Recipe) for block in blocks)


def test_every_setting_is_told() -> None:
    text = README.read_text(encoding="utf-8")
    settings = {path.rpartition(".")[2] for path in parse(tomllib.loads(_example())).flat()}
    assert sorted(name for name in settings if f"`{name}`" not in text) == []


def _example() -> str:
    return 'task = "sentiment"\ndata = "x.csv"\nbackbone = "size:tiny"\nstrategy = "gradual"\n'
