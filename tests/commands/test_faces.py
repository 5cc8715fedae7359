"""Every command explains itself, gives JSON, and lets nothing through that a terminal would obey."""

from __future__ import annotations

import csv
import io
import json
import tomllib
from typing import Any

import pytest

from tests.commands.support import call, obeyed
from tests.conftest import HOSTILE, Finished, workbench
from workbench import recipe
from workbench.commands import COMMANDS

LOOKS = (["ls"], ["show", "1"], ["log", "1"], ["paths"], ["doctor"])


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_an_example_in_its_help(finished: Finished, name: str) -> None:
    shown = call(name, "--help", home=finished.home.root)
    assert shown.exit_code == 0
    assert f"Example: workbench {name}" in shown.stdout.replace("--home /data/me ", "")
    assert "--json" in shown.stdout


def test_the_command_alone_lists_all(finished: Finished) -> None:
    shown = call("--help", home=finished.home.root).stdout
    assert [name for name in COMMANDS if f"\n  {name}" not in shown] == []


def as_json(finished: Finished, *arguments: object) -> Any:
    shown = call(*arguments, "--json", home=finished.home.root)
    assert obeyed(shown.stdout) == set()
    return json.loads(shown.stdout)


def test_the_short_run_was_told_from_start_to_end(finished: Finished) -> None:
    assert finished.stdout == ""
    assert "finished  18/18" in finished.stderr
    assert obeyed(finished.stdout + finished.stderr) == set()


@pytest.mark.parametrize("arguments", LOOKS)
def test_no_hostile_text_gets_to_the_terminal(finished: Finished, arguments: list[str]) -> None:
    shown = call(*arguments, home=finished.home.root)
    assert shown.stdout
    assert obeyed(shown.stdout + shown.stderr) == set()


def test_the_hostile_name_is_shown_escaped(finished: Finished) -> None:
    shown = call("show", "1", home=finished.home.root).stdout
    assert "[CLS] [/red] ␛]0;x␇ \\x9b2J \\u202e\\u200b é 中" in shown


def test_json_has_the_texts_as_they_are(finished: Finished) -> None:
    assert [run["name"] for run in as_json(finished, "ls")] == [HOSTILE]
    shown = as_json(finished, "show", HOSTILE)
    assert (shown["id"], shown["state"], shown["step"], shown["predictions"]) == (1, "finished", 18, 21)
    assert shown["metrics"]["train/loss"]["n"] == 18
    assert shown["metrics"]["eval/accuracy"]["last_step"] == 18
    assert {each["kind"] for each in shown["checkpoints"]} == {"state", "model"}
    assert shown["versions"]["threads"] >= 1


def test_a_listing_filters_by_state(finished: Finished) -> None:
    assert as_json(finished, "ls", "--state", "running") == []
    assert len(as_json(finished, "ls", "--state", "finished", "--state", "failed")) == 1
    assert call("ls", "--state", "running", home=finished.home.root).stdout == "No runs in this state.\n"


def test_a_recipe_that_is_shown_is_the_one_that_was_given(finished: Finished) -> None:
    shown = call("show", "1", "--recipe", home=finished.home.root).stdout
    assert obeyed(shown) == set()
    assert tomllib.loads(shown) == tomllib.loads((finished.folder / "recipe.toml").read_text("utf-8"))
    assert recipe.loads(shown).hash() == finished.run.recipe_hash


def test_the_log_tells_what_happened_in_order(finished: Finished) -> None:
    kinds = [event["kind"] for event in as_json(finished, "log", "1")]
    assert kinds[0] == "start"
    assert {"device", "stage", "eval", "saved"} <= set(kinds)
    followed = call("log", "1", "--follow", home=finished.home.root)
    assert followed.stdout == call("log", "1", home=finished.home.root).stdout
    assert call("log", "1", "--raw", home=finished.home.root).exit_code == 0


def test_paths_are_those_of_the_home(finished: Finished) -> None:
    places = as_json(finished, "paths")
    assert (places["home"], places["store"]) == (str(finished.home.root), str(finished.home.store))


def test_the_doctor_finds_the_store_and_nothing_bad(finished: Finished) -> None:
    findings = {each["subject"]: each for each in as_json(finished, "doctor")}
    assert findings["store"]["found"].endswith("1 runs")
    assert {each["level"] for each in findings.values()} <= {"ok", "warn"}


def test_predict_answers_texts_from_a_file_and_hostile_ones(finished: Finished) -> None:
    prompts = ["a good day", HOSTILE, "plain"]
    answered = call("predict", 1, *prompts, "--json", home=finished.home.root)
    assert obeyed(answered.stdout) == set()
    answers = json.loads(answered.stdout)
    assert [answer["text"] for answer in answers] == prompts
    labels = {f"{word} {HOSTILE}" for word in ("good", "bad")}
    assert all(answer["label"] in labels and answer["scores"].keys() == labels for answer in answers)
    shown = workbench("predict", 1, "--file", "/dev/stdin", home=finished.home.root)
    assert (shown.returncode, shown.stdout) == (0, "")
    listed = call("predict", 1, "--file", "-", home=finished.home.root, stdin=f"a good day\n{HOSTILE}\n")
    assert obeyed(listed.stdout) == set()
    assert len(listed.stdout.splitlines()) == 2


def test_compare_needs_two_runs(finished: Finished) -> None:
    refused = call("compare", 1, 1, home=finished.home.root)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "takes two runs" in refused.stderr


def test_ended_and_started_again(
    finished: Finished, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Take a copy of the home through what a person does with runs: start, compare, stop, delete."""
    import shutil

    from store.connection import open_store
    from tests.store.support import add_run
    from workbench.paths import Home

    monkeypatch.setenv("WORKBENCH_SLOTS", "none")
    home = Home(tmp_path_factory.mktemp("copy") / "home")
    shutil.copytree(finished.home.root, home.root)
    with open_store(home.store) as store:
        columns = {"state": "finished", "goal_key": "eval/accuracy", "best_value": 0.5, "best_step": 1}
        other = add_run(store, f"other {HOSTILE}", uid="OTHER", **columns)
        waiting = add_run(store, HOSTILE, uid="WAITING", attempt=0)
        for uid in ("OTHER", "WAITING"):
            home.run_folder(uid).mkdir()
    compared = call("compare", 1, other, "--json", home=home.root)
    assert [column["run_id"] for column in json.loads(compared.stdout)["columns"]] == [1, other]
    shown = call("compare", 1, other, home=home.root)
    table = call("compare", 1, other, "--csv", home=home.root)
    assert obeyed(compared.stdout + shown.stdout + table.stdout) == set()
    assert all(len(row) == 3 for row in csv.reader(io.StringIO(table.stdout)))
    stopped = call("stop", waiting, home=home.root)
    assert (stopped.exit_code, obeyed(stopped.stdout)) == (0, set())
    assert "was taken from the queue" in stopped.stdout
    assert call("stop", waiting, home=home.root).exit_code == 2
    asked = call("rm", other, home=home.root, stdin="n\n")
    assert asked.exit_code == 1
    assert obeyed(asked.stdout + asked.stderr) == set()
    assert call("rm", other, home=home.root, stdin="y\n").exit_code == 0
    gone = call("rm", waiting, "--yes", "--json", home=home.root)
    assert json.loads(gone.stdout) == [{"id": waiting, "trash": str(home.trash / "WAITING")}]
    assert [run["id"] for run in json.loads(call("ls", "--json", home=home.root).stdout)] == [1]
