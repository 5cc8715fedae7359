"""The README tells the truth: its keys are those of the table, its commands exist, its recipe is one."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path

import pytest

from screens.keys import PLACES, Key, keys_of
from workbench.commands import COMMANDS
from workbench.data.prepare import prepare
from workbench.recipe import Recipe, parse
from workbench.tasks import TASKS

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


@pytest.mark.parametrize("task", TASKS)
def test_every_setting_is_told(task: str) -> None:
    text = README.read_text(encoding="utf-8")
    made = parse({"task": task, "data": "x.csv", "backbone": "size:tiny", "strategy": "gradual"})
    settings = {path.rpartition(".")[2] for path in made.flat()}
    told = set(re.findall(r"`(?:\[task\] )?(\w+)(?: = [^`]*)?`", text)) | set(re.findall(r"^(\w+) = ", text, re.M))
    assert sorted(settings - told) == []


def test_every_task_has_a_row_and_a_recipe() -> None:
    text = README.read_text(encoding="utf-8")
    blocks = [parse(tomllib.loads(block)) for block in re.findall(r"```toml\n(.*?)```", text, re.DOTALL)]
    assert [name for name in TASKS if f"`{name}`" not in text] == []
    assert set(TASKS) - {made.task.name for made in blocks} <= {"text-classification", "summarization"}


def test_every_recipe_on_a_starter_set_can_be_read_offline(tmp_path: Path) -> None:
    blocks = re.findall(r"```toml\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    recipes = [parse(tomllib.loads(block)) for block in blocks]
    offline = [made for made in recipes if made.data.train.startswith("starter:") and made.starts_random]
    assert len(offline) >= 10
    for made in offline:
        assert prepare(made, tmp_path / "cache").train
