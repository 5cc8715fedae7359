"""The store made anew from the run folders: the same in every table, whatever became of the old file."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from store import points, runs, trials
from store.connection import StoreError, open_store, read_store
from store.schema import VERSION
from tests.commands.support import call
from tests.store import lived
from tests.store.dumping import differing, dump
from tests.workbench.supervision.support import end_all
from workbench.errors import WorkbenchError
from workbench.paths import Home
from workbench.rebuilding import UNKNOWN_END, rebuild
from workbench.supervision import locks, queue


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return lived.live(tmp_path_factory.mktemp("lived"))


@pytest.fixture
def home(once: Home, tmp_path: Path) -> Home:
    """Return a copy of the home; only whole files are copied, no process has it open."""
    with open_store(once.store) as store:
        store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copytree(once.root, tmp_path / "home", symlinks=True)
    return Home(tmp_path / "home")


def cut_short(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def overwrite(path: Path, start: int, length: int) -> None:
    with path.open("r+b") as file:
        file.seek(start)
        file.write(b"\xa5" * length)


def break_table(path: Path, table: str) -> None:
    with read_store(path) as store:
        page = store.query("SELECT rootpage FROM sqlite_master WHERE name=?", (table,))[0][0]
        size = store.query("PRAGMA page_size")[0][0]
    overwrite(path, (page - 1) * size, size)


def drop_a_table(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("DROP TABLE point")
    connection.commit()
    connection.close()


DAMAGES: dict[str, Callable[[Path], None]] = {
    "deleted": Path.unlink,
    "empty": lambda path: path.write_bytes(b"") and None,
    "no database": lambda path: path.write_bytes(b"not a database " * 999) and None,
    "half of it": cut_short,
    "header": lambda path: overwrite(path, 0, 100),
    "runs": lambda path: break_table(path, "run"),
    "events": lambda path: break_table(path, "event"),
    "a table is gone": drop_a_table,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_store_is_made_anew_from_the_folders(home: Home, damage: str) -> None:
    before = dump(home.store)
    DAMAGES[damage](home.store)
    broken = home.store.read_bytes() if home.store.exists() else None
    said = call("store", "rebuild", home=home.root)
    assert said.exit_code == 0, said.stderr
    assert "5 runs from their folders" in said.stdout
    after = dump(home.store)
    personal = {"note", "pinned"}
    if damage in ("deleted", "empty", "no database", "half of it", "header", "runs"):
        # A person's words are in no folder: they may be lost with the file, and nothing else is.
        for each in (before, after):
            each["run"] = [tuple(pair for pair in row if pair[0] not in personal) for row in each["run"]]
    assert differing(before, after) == []
    assert call("store", "check", home=home.root).exit_code == 0
    kept = list(home.root.glob("workbench.aside-*.db"))
    assert [path.read_bytes() for path in kept] == ([] if broken is None else [broken])
    assert home.store.stat().st_mode & 0o777 == 0o600


def test_what_no_folder_has_is_taken_over(home: Home) -> None:
    rebuilt = rebuild(home)
    assert rebuilt.taken.lost == []
    assert rebuilt.taken.rows["trial"] == rebuilt.taken.rows["answer"] == rebuilt.taken.rows["tag"] == 1
    assert rebuilt.taken.rows["sys_point"] > 0
    with read_store(home.store) as store:
        (trial,) = trials.listing(store)
        assert trial.answers == {1: ({"good": 0.9}, 3.0)}
        run = runs.get(store, 1)
        assert run is not None
        assert run.note == "the first one"
        assert store.query("SELECT tag FROM tag")[0][0] == "keep"


def test_a_run_whose_folder_is_gone_is_taken_over(home: Home) -> None:
    before = dump(home.store)
    with read_store(home.store) as store:
        run = runs.get(store, 2)
    assert run is not None
    shutil.rmtree(home.run_folder(run.uid))
    rebuild(home)
    assert differing(before, dump(home.store)) == []


def test_a_run_of_which_only_the_card_and_the_journal_are_left_is_not_started_again(home: Home) -> None:
    with read_store(home.store) as store:
        run = runs.get(store, 1)
    assert run is not None
    home.store.unlink()
    (home.run_folder(run.uid) / "history.jsonl").unlink()
    rebuild(home)
    with read_store(home.store) as store:
        run = runs.get(store, 1)
    assert run is not None
    assert (run.state, run.error) == ("lost", UNKNOWN_END)
    assert run.step == run.max_steps


def test_folders_that_are_no_runs_are_named_and_left(home: Home) -> None:
    before = dump(home.store)
    (home.runs / "some notes").mkdir()
    (home.runs / "file").write_text("x")
    copy = home.runs / "COPY"
    shutil.copytree(next(path for path in home.runs.iterdir() if (path / "run.json").exists()), copy)
    (copy / "recipe.toml").unlink()
    home.store.unlink()
    rebuilt = rebuild(home)
    assert sorted(Path(words.split(":")[0]).name for words in rebuilt.left_out) == ["COPY", "file", "some notes"]
    after = dump(home.store)
    for each in (before, after):
        each["run"] = [tuple(pair for pair in row if pair[0] not in ("note", "pinned")) for row in each["run"]]
    assert differing(before, after) == []


def test_two_runs_of_one_number_both_stay(home: Home) -> None:
    cards = sorted(home.runs.glob("*/run.json"))
    card = json.loads(cards[-1].read_text())
    cards[-1].write_text(json.dumps(card | {"id": 1}))
    home.store.unlink()
    rebuild(home)
    with read_store(home.store) as store:
        assert len({run.id for run in runs.listing(store)}) == len(cards)


def test_a_newer_store_is_not_thrown_back(home: Home) -> None:
    with open_store(home.store) as store:
        store.connection.execute(f"PRAGMA user_version={VERSION + 1}")
    with pytest.raises((WorkbenchError, StoreError), match="newer"):
        rebuild(home)
    assert list(home.root.glob("*aside*")) == list(home.root.glob(".*.db*")) == []


@pytest.fixture
def training(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path / "home").create()
    yield home
    end_all(home)


def test_a_run_that_trains_goes_on_in_the_new_store(training: Home, tmp_path: Path) -> None:
    home = training
    with lived.slots("cpu"):
        run = queue.submit(home, lived.recipe_in(tmp_path, "long", epochs=40))
        lived.wait(home, run, lambda run: run.step > 20)
        rebuild(home)
        assert locks.alive(home.run_folder(run.uid))
        step = lived.look(home, run.id).step
        lived.wait(home, run, lambda run: run.step > step + 20)
        home.store.unlink()
        (home.root / "workbench.db-wal").unlink(missing_ok=True)
        (home.root / "workbench.db-shm").unlink(missing_ok=True)
        rebuild(home)
        end = lived.wait(home, run, lived.ended)
    assert (end.state, end.attempt, end.step) == ("finished", 1, end.max_steps)
    before = dump(home.store)
    with read_store(home.store) as store:
        steps, _ = points.curve(store, run.id, "train/loss")
    assert steps == list(range(1, end.step + 1))
    rebuild(home)
    assert differing(before, dump(home.store)) == []
    assert call("store", "check", home=home.root).exit_code == 0
