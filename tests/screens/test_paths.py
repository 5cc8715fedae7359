"""What is typed for the data is completed, and said to be wrong before it is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from screens.new_paths import completions, data_problem, known_data
from workbench.catalog import STARTERS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.csv", "a.conllu.gz", "a.parquet", "a.txt", "a.en", "a.db", "notes.docx", ".hidden.csv"):
        (tmp_path / name).write_text("x", encoding="utf-8")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "train.jsonl").write_text("{}", encoding="utf-8")
    (tmp_path / "empty").mkdir()
    return tmp_path


def test_paths_are_completed_to_data_files_and_folders(folder: Path) -> None:
    found = [name.removeprefix(f"{folder}/") for name in completions(f"{folder}/")]
    assert found == ["a.conllu.gz", "a.csv", "a.parquet", "a.txt", "empty/", "set/"]
    assert completions(f"{folder}/s") == [f"{folder}/set/"]
    assert completions(f"{folder}/", folders_only=True) == [f"{folder}/empty/", f"{folder}/set/"]


def test_behind_a_scheme_every_file_is_offered(folder: Path) -> None:
    assert completions(f"sqlite:{folder}/a.d") == [f"sqlite:{folder}/a.db"]
    assert completions(f"sqlite:{folder}/a.db#SEL") == []
    assert completions(f"parallel:{folder}/a.e") == [f"parallel:{folder}/a.en"]
    assert completions(f"parallel:{folder}/a.en,{folder}/a.t") == [f"parallel:{folder}/a.en,{folder}/a.txt"]


def test_starter_sets_and_schemes_are_offered_as_they_are_typed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert completions("starter:", known=known_data([])) == [f"starter:{name}" for name in STARTERS]
    assert completions("sq", known=known_data([])) == ["sqlite:"]
    assert completions("hub:some/") == []


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("starter:sentiment", ""), ("{}/a.csv", ""), ("{}/a.conllu.gz", ""), ("{}/set", ""), ("{}/set/", ""),
        (" a.csv ", ""),
        ("hub:some/set@v1#plain", ""), ("sqlite:{}/a.db#SELECT 1", ""), ("parallel:{}/a.en,{}/a.txt", ""),
        ("parallel:a.en, a.txt", ""),
        ("starter:poems", "no starter set 'poems'"), ("{}/empty", "the folder has no train file"),
        ("{}/none.csv", "there is no such file"), ("{}/notes.docx", "cannot tell the format"), ("hub:set", "not an id"),
        ("sqlite:{}/a.db", "there is no query"), ("sqlite:{}/b.db#SELECT 1", "there is no such file"),
        ("parallel:{}/a.en", "two files are needed"), ("parallel:{}/a.en,{}/no.de", "there is no such file"),
        ("~nobody-here/x.csv", "cannot be a path"), ("a\0b.csv", "cannot be"),
    ],
)  # fmt: skip
def test_what_cannot_be_data_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch, typed: str, said: str) -> None:
    monkeypatch.chdir(folder)
    problem = data_problem(typed.replace("{}", str(folder)))
    assert said in problem if said else not problem, problem
