"""A group from the command line: spread, trained, told, stopped, resumed, deleted."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from store import runs
from store.connection import open_store, read_store
from store.runs import Run
from tests.commands.support import call
from tests.conftest import workbench
from tests.making import tiny_backbone, toy_rows, write_jsonl
from workbench.paths import Home
from workbench.recipe import parse


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A recipe of a second or two."""
    recipe = parse(
        {
            "name": "toys",
            "task": "sentiment",
            "data": str(write_jsonl(tmp_path / "rows.jsonl", toy_rows(80))),
            "backbone": str(tiny_backbone(tmp_path / "backbone")),
            "strategy": {"name": "gradual", "unfrozen_by": 0.3},
            "training": {"epochs": 1, "max_length": 32},
        }
    )
    path = tmp_path / "recipe.toml"
    path.write_text(recipe.to_toml(), encoding="utf-8")
    return path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def listed(home: Path) -> list[Run]:
    with read_store(Home(home).store) as store:
        return runs.listing(store)[::-1]


def test_a_group_is_trained_and_told(file: Path, home: Path) -> None:
    said = workbench(
        "train", file, "--over", "strategy=full,head", "--over", "seed=1,2", "--wait", "--json", home=home
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    made = json.loads(said.stdout)
    assert [(run["name"], run["grp"], run["state"]) for run in made] == [
        (f"toys-{name}-seed{seed}", "toys", "finished") for name in ("full", "head") for seed in (1, 2)
    ]
    shown = call("group", "toys", home=home).stdout.splitlines()
    assert shown[0] == "toys: 4 runs, 4 done"
    assert [line.split()[0] for line in shown[2:]] == ["strategy", "full", "head"]
    table = json.loads(call("group", "toys", "--json", home=home).stdout)
    assert [row["seeds"] for row in table["rows"]] == [2, 2]
    assert all(row["deviation"] is not None for row in table["rows"])
    assert table["rows"][0]["trainable_share"] == 1.0
    assert call("group", "toys", "--csv", home=home).stdout.startswith("strategy.name,seeds,eval/accuracy mean")
    assert call("group", home=home).stdout.splitlines()[1].split()[:3] == ["toys", "4", "4"]
    assert json.loads(call("group", "--json", home=home).stdout)[0]["name"] == "toys"


def test_a_group_is_planned_stopped_resumed_and_deleted(
    file: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKBENCH_SLOTS", "none")
    over = ("--over", "strategy=full,gradual", "--over", "seed=1,2,3")
    planned = call("train", file, *over, "--check", home=home)
    assert planned.stdout.splitlines()[:2] == [
        "6 runs: strategy 2 × seed 3",
        "note: strategy.unfrozen_by is left out for full: no setting of theirs",
    ]
    assert not Home(home).store.exists()
    queued = call("train", file, *over, home=home)
    assert queued.exit_code == 0
    assert "Group toys is queued: 6 runs." in queued.stdout
    assert "Group toys-2 is queued: 3 runs." in call("train", file, "--over", "seed=1,2,3", home=home).stdout
    assert call("stop", "--group", "toys", home=home).stdout.count("was taken from the queue") == 6
    assert [run.state for run in listed(home)] == ["stopped"] * 6 + ["queued"] * 3
    assert "has ended" in call("stop", "--group", "toys", home=home).stdout
    assert len(json.loads(call("resume", "--group", "toys", "--json", home=home).stdout)) == 6
    assert "can be resumed" in call("resume", "--group", "toys", home=home).stdout
    refused = call("rm", "--group", "toys", "--yes", home=home)
    assert (refused.exit_code, len(listed(home))) == (2, 9)
    assert "workbench stop --group toys" in refused.stderr
    call("stop", "--group", "toys", home=home)
    assert call("rm", "--group", "toys", "--yes", home=home).exit_code == 0
    assert [run.grp for run in listed(home)] == ["toys-2"] * 3


def test_a_group_with_one_bad_combination_queues_nothing(file: Path, home: Path) -> None:
    refused = call("train", file, "--over", "strategy=full,nonsense", "--over", "seed=1,2", home=home)
    assert refused.exit_code == 2
    assert "strategy=nonsense, seed=1: strategy.name: 'nonsense' is not one of" in refused.stderr
    gone = call("train", file, "--over", f"data={file.parent / 'rows.jsonl'},{file.parent / 'gone.jsonl'}", home=home)
    assert gone.exit_code == 2
    assert "gone.jsonl" in gone.stderr
    assert not Home(home).store.exists()


def test_a_run_or_a_group_is_named_but_not_both(file: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_SLOTS", "none")
    call("train", file, "--over", "seed=1,2", home=home)
    for command in ("stop", "resume", "rm"):
        assert "name a run, or a group" in call(command, home=home).stderr
        assert "name a run, or a group" in call(command, "1", "--group", "toys", home=home).stderr
        assert "no group 'gone'" in call(command, "--group", "gone", home=home).stderr
    assert "name it" in call("group", "--csv", home=home).stderr


def test_pretraining_is_shared_within_a_group(file: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_SLOTS", "none")
    strategy = f'{{name="pretrain-first", texts="{file.parent / "rows.jsonl"}"}}'
    file.write_text(re.sub(r"\[strategy\]\n(.+\n)+", "", file.read_text("utf-8")), encoding="utf-8")
    said = call(
        "train", file, "--set", f"strategy={strategy}", "--over", "seed=1,2", "--over", "data.rows=20,40", home=home
    )
    assert said.exit_code == 0, said.stderr
    found = listed(home)
    assert [run.task for run in found].count("masked-pretraining") == 2
    assert len({run.parent_id for run in found if run.waits}) == 2
    shown = call("group", "toys", home=home).stdout
    assert shown.startswith("toys: 4 runs, 0 done, 6 queued; 2 runs pretrain for them")
    assert shown.splitlines()[2].split()[0] == "rows"
    with open_store(Home(home).store) as store:
        assert len(runs.of_group(store, "toys")) == 6
