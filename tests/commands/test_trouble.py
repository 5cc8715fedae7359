"""What a command cannot do is said on stderr with exit code 2, and nothing half-made is left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from store import runs
from store.connection import open_store, prepare, read_store
from tests.commands.support import call, obeyed
from tests.conftest import HOSTILE, Finished, workbench
from tests.making import toy_rows, write_jsonl
from workbench.paths import Home

PLAIN = {"task": "sentiment", "backbone": "size:tiny", "strategy": "full"}


def recipe_file(folder: Path, **tables: Any) -> Path:
    import tomli_w

    write_jsonl(folder / "good.jsonl", toy_rows(8))
    path = folder / "recipe.toml"
    path.write_text(tomli_w.dumps({**PLAIN, "data": "good.jsonl", **tables}), encoding="utf-8")
    return path


def broken_rows(folder: Path) -> dict[str, dict[str, Any]]:
    """Return what may be wrong with a recipe: name → tables laid over a good one."""
    (folder / "empty.csv").touch()
    write_jsonl(folder / "odd.jsonl", [*toy_rows(4), {"text": "x", "label": HOSTILE}])
    (folder / "model").mkdir()
    (folder / "model" / "config.json").write_text('{"model_type": "bert"}')
    return {
        "a wrong field": {"training": {"lr": 1}},
        "a missing file": {"data": f"{HOSTILE}.csv"},
        "no such column": {"task": {"name": "sentiment", "text": "txet"}},
        "an unknown label": {"data": {"train": "good.jsonl", "validation": "odd.jsonl"}},
        "an empty file": {"data": "empty.csv"},
        "no weights": {"backbone": "./model"},
    }


SAYS = {
    "a wrong field": 'did you mean "learning_rate"?',
    "a missing file": "there is no such file",
    "no such column": 'did you mean "text"?',
    "an unknown label": "column 'label' holds '[CLS] [/red] ",
    "an empty file": "the file is empty",
    "no weights": "no *.safetensors file",
}


@pytest.mark.parametrize("trouble", SAYS)
def test_a_recipe_that_cannot_be_trained_leaves_nothing(tmp_path: Path, trouble: str) -> None:
    home = Home(tmp_path / "home").create()
    prepare(home.store)
    path = recipe_file(tmp_path, **broken_rows(tmp_path)[trouble])
    refused = call("train", path, "--wait", home=home.root)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr.startswith("error: ")
    assert SAYS[trouble] in refused.stderr
    assert obeyed(refused.stderr) == set()
    with open_store(home.store) as store:
        assert runs.listing(store) == []
        assert store.query("SELECT * FROM config") == []
    assert [*home.runs.iterdir(), *home.moving.iterdir(), *home.trash.iterdir()] == []


def test_the_exit_code_reaches_the_shell(tmp_path: Path) -> None:
    refused = workbench("train", tmp_path / f"{HOSTILE}.toml", home=tmp_path / "home")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "No such file" in refused.stderr
    assert obeyed(refused.stderr) == set()


def test_a_check_starts_nothing(tmp_path: Path) -> None:
    path = recipe_file(tmp_path, training={"epochs": 2, "batch_size": 4})
    checked = call("train", path, "--check", "--json", home=tmp_path / "home")
    assert checked.exit_code == 0
    assert json.loads(checked.stdout)["updates"] == 4
    assert not (tmp_path / "home" / "workbench.db").exists()


def test_a_check_says_what_columns_hold_and_what_was_guessed(tmp_path: Path) -> None:
    rows = "".join(f"{number}\ta {word} day\t{word}\n" for number, word in enumerate(["good", "bad"] * 10))
    (tmp_path / "reviews.tsv").write_text(f"n\tbody \x1b[31m\tlabel\n{rows}", encoding="utf-8")
    tables = {"task": "sentiment", "data": str(tmp_path / "reviews.tsv"), "backbone": "size:tiny", "strategy": "full"}
    checked = call("train", recipe_file(tmp_path, **tables), "--check", home=tmp_path / "home")
    assert checked.exit_code == 0
    lines = checked.stdout.splitlines()
    assert lines[0] == "train       18 rows, UTF-8"
    assert "columns     n (whole number, as text), body ␛[31m (text), label (text)" in lines
    assert any("the only text column left" in line for line in lines if line.startswith("note: "))
    assert obeyed(checked.stdout) == set()


@pytest.mark.parametrize("arguments", [["ls"], ["show", "1"], ["log", "1"], ["predict", "1", "x"], ["rm", "1"]])
def test_a_home_without_runs_says_how_to_start_one(tmp_path: Path, arguments: list[str]) -> None:
    refused = call(*arguments, home=tmp_path / "home")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "workbench demo" in refused.stderr
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("command", [["show"], ["log"], ["stop"], ["resume"], ["rm", "-y"], ["predict", "x"]])
@pytest.mark.parametrize("reference", ["99", HOSTILE + "?"])
def test_a_run_that_is_not_there_is_named(finished: Finished, command: list[str], reference: str) -> None:
    name, *rest = command
    refused = call(name, *(rest if name == "rm" else []), reference, *(rest if name == "predict" else []),
                   home=finished.home.root)  # fmt: skip
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "there is no run" in refused.stderr
    assert obeyed(refused.stderr) == set()


@pytest.mark.parametrize("content", [b"", b"not a database " * 100])
def test_a_file_that_is_no_store_is_refused(tmp_path: Path, content: bytes) -> None:
    home = Home(tmp_path).create()
    home.store.write_bytes(content)
    refused = call("ls", home=home.root)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert str(home.store) in refused.stderr.replace("\n", "")
    assert home.store.read_bytes() == content


def test_a_damaged_store_is_told_in_words(tmp_path: Path, finished: Finished) -> None:
    home = Home(tmp_path).create()
    with read_store(finished.home.store) as store:
        page = store.query("SELECT rootpage FROM sqlite_master WHERE name='run'")[0][0]
        size = store.query("PRAGMA page_size")[0][0]
    content = bytearray(finished.home.store.read_bytes())
    content[(page - 1) * size : page * size] = b"\xff" * size
    home.store.write_bytes(content)
    refused = call("ls", home=home.root)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "workbench store rebuild" in refused.stderr


def test_a_finished_run_is_neither_stopped_nor_resumed(finished: Finished) -> None:
    for command in ("stop", "resume"):
        refused = call(command, 1, home=finished.home.root)
        assert (refused.exit_code, refused.stdout) == (2, "")
        assert "it is finished" in refused.stderr
        assert obeyed(refused.stderr) == set()


@pytest.mark.parametrize("words", [["\x1b]0;x\x07"], ["ls", "--\x1b[31m"], ["ls", "-n", "\x9b"], ["show"]])
def test_what_is_typed_wrongly_drives_no_terminal(tmp_path: Path, words: list[str]) -> None:
    refused = call(*words, home=tmp_path)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert obeyed(refused.stderr) == set()


def test_predict_wants_texts_or_a_file(finished: Finished, tmp_path: Path) -> None:
    for words in ([], ["x", "--file", "y"], ["--file", str(tmp_path / "none")]):
        refused = call("predict", 1, *words, home=finished.home.root)
        assert (refused.exit_code, refused.stdout) == (2, "")


def test_the_interface_needs_a_terminal(tmp_path: Path) -> None:
    refused = workbench(home=tmp_path)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "workbench --help" in refused.stderr


@pytest.mark.parametrize(
    "words",
    [*([verb, 1] for verb in ("stop", "pause", "resume", "checkpoint", "evaluate")), ["rm", "-y", 1],
     ["train", "x.toml"], ["train", "--like", 1], ["demo"]],
)  # fmt: skip
def test_a_look_changes_nothing(finished: Finished, words: list[object]) -> None:
    refused = call("--readonly", *words, home=finished.home.root)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "--readonly" in refused.stderr
    assert call("--readonly", "ls", home=finished.home.root).exit_code == 0


def test_a_secret_in_a_log_is_not_printed(finished: Finished) -> None:
    log = finished.home.run_folder(finished.run.uid) / "log.txt"
    before = log.read_bytes()
    log.write_text("GET https://me:hunter2@hub.example/x\n", encoding="utf-8")
    printed = call("log", "1", "--raw", home=finished.home.root).stdout
    log.write_bytes(before)
    assert "hub.example" in printed
    assert "hunter2" not in printed
