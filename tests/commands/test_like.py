"""A run that is repeated by the command, really trained, and what is said of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from store import points
from store.connection import open_store
from tests.commands.support import call, obeyed
from tests.conftest import Finished, workbench
from workbench.paths import Home


@pytest.fixture(scope="module")
def repeated(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, str]:
    """Return a copy of the home in which the run was repeated, and what was printed."""
    home = Home(Path(shutil.copytree(finished.home.root, tmp_path_factory.mktemp("like") / "home")))
    said = workbench("train", "--like", 1, "--wait", home=home.root)
    assert said.returncode == 0, said.stderr
    return home, said.stdout


def test_a_repeat_comes_out_the_same(repeated: tuple[Home, str]) -> None:
    home, said = repeated
    assert said.startswith("repeats run #1 [CLS]")
    assert "to the bit: " in said
    assert obeyed(said) == set()
    shown = json.loads(call("show", 2, "--json", home=home.root).stdout)
    assert (shown["parent_id"], shown["repeat"]["same"], shown["repeat"]["last"]) == (1, True, 18)
    assert shown["repeat"]["compared"] > 18 * 3
    assert said.strip() in call("show", 2, home=home.root).stdout
    assert json.loads(call("show", 1, "--json", home=home.root).stdout)["repeat"] is None


def test_a_repeat_that_differs_says_from_where_on(repeated: tuple[Home, str], tmp_path: Path) -> None:
    home = Home(Path(shutil.copytree(repeated[0].root, tmp_path / "home")))
    with open_store(home.store) as store:
        points.unpack(store, 2)
        with store.write() as connection:
            connection.execute(
                """UPDATE point SET value=value+1 WHERE run_id=2 AND step>=9
                    AND metric_id=(SELECT id FROM metric WHERE name='train/loss')"""
            )
    shown = call("show", 2, home=home.root).stdout
    assert "from update 9 on train loss is up to 1 apart" in shown


def test_a_repeat_takes_nothing_beside_it(finished: Finished) -> None:
    for more in (["recipe.toml"], ["--set", "seed=1"], ["--over", "seed=1,2"], ["--check"]):
        refused = call("train", "--like", 1, *more, home=finished.home.root)
        assert (refused.exit_code, refused.stdout) == (2, "")
        assert "--like repeats a run as it is" in refused.stderr
    assert "name a recipe" in call("train", home=finished.home.root).stderr
