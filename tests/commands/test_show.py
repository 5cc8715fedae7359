"""What `show` says of what ails a run, and of what learns."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from store.connection import open_store, prepare
from tests.commands.support import call
from tests.insight.adding import add_run
from workbench import recipe
from workbench.paths import Home

OVERFITS = [0.4, 0.5, 0.6, 0.7]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home with a run that overfits from step 100 on and one that does not."""
    home = Home(tmp_path / "home").create()
    prepare(home.store)
    with open_store(home.store) as store:
        add_run(store, [0.9] * 4, losses=OVERFITS, trainable=66_000, parameters=22_000_000)
        add_run(store, [0.9] * 4, losses=OVERFITS[::-1], settings={"backbone": "/models/some"})
    return home


def test_a_diagnosis_comes_with_a_command_that_applies_its_remedy(home: Home, tmp_path: Path) -> None:
    shown = call("show", 1, home=home.root).stdout
    assert "! overfitting since step 100: eval loss 0.400 → 0.700 while train loss falls" in shown
    assert "remedy: early stopping, dropout, weight decay, fewer epochs; or more data" in shown
    (line,) = [line for line in shown.splitlines() if line.startswith("  try: ")]
    show, train = line.removeprefix("  try: ").split(" && ")
    assert show == "workbench show 1 --recipe > again.toml"
    words = shlex.split(train)
    assert words[:3] == ["workbench", "train", "again.toml"]
    file = tmp_path / "again.toml"
    file.write_text(call("show", 1, "--recipe", home=home.root).stdout, encoding="utf-8")
    again = recipe.load(file, [word for word in words[3:] if word != "--set"])
    told = json.loads(call("show", 1, "--json", home=home.root).stdout)["diagnoses"]
    assert {path: new for path, (_, new) in recipe.load(file).diff(again).items()} == told[0]["changes"]
    assert (told[0]["code"], told[0]["step"]) == ("overfitting", 100)


def test_a_run_that_is_well_has_no_diagnosis(home: Home) -> None:
    assert "remedy" not in call("show", 2, home=home.root).stdout
    assert json.loads(call("show", 2, "--json", home=home.root).stdout)["diagnoses"] == []


def test_what_learns_is_a_count_and_a_share(home: Home) -> None:
    assert "trainable  66 k · 0.3 %" in call("show", 1, home=home.root).stdout
    assert json.loads(call("show", 1, "--json", home=home.root).stdout)["trainable_share"] == pytest.approx(0.003)
