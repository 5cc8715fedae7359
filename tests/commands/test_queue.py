"""`workbench queue` says what runs and what waits for what, and moves a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from store import runs
from store.connection import open_store, prepare
from tests.commands.support import call, obeyed
from tests.conftest import HOSTILE
from tests.store.support import add_run
from workbench.commands.waiting import waits_for
from workbench.paths import Home
from workbench.supervision.slots import Slot


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home where nothing starts, with four runs that wait: the third for the model of the first."""
    monkeypatch.setenv("WORKBENCH_SLOTS", "none")
    home = Home(tmp_path / "home").create()
    prepare(home.store)
    with open_store(home.store) as store:
        for number in range(4):
            waits = {"reason": runs.BACKBONE, "parent_id": 1} if number == 2 else {}
            add_run(store, HOSTILE if number == 1 else f"run-{number}", uid=f"UID{number}X", **waits)
            home.run_folder(f"UID{number}X").mkdir()
        connection: Any
        with store.write() as connection:
            connection.execute("UPDATE config SET text='run:UID0X' WHERE run_id=3 AND path='seed'")
            connection.execute("UPDATE config SET path='backbone.name' WHERE run_id=3 AND path='seed'")
            connection.execute("UPDATE config SET text='gpu' WHERE run_id=4 AND path='hardware.device'")
    return home


def order(home: Home) -> list[int]:
    shown = json.loads(call("queue", "--json", home=home.root).stdout)
    assert [each["place"] for each in shown["queue"]] == [1, 2, 3, 4]
    return [each["run"]["id"] for each in shown["queue"]]


def test_the_queue_is_shown_in_its_order(home: Home) -> None:
    shown = call("queue", home=home.root)
    assert obeyed(shown.stdout) == set()
    lines = [line for line in shown.stdout.splitlines() if line[:1] == " "]
    assert [line.split()[:2] for line in lines] == [["1", "1"], ["2", "2"], ["3", "3"], ["4", "4"]]
    assert lines[0].endswith("auto    a slot; none here is for it")
    assert lines[2].endswith("the model of #1")
    assert lines[3].endswith("gpu     a GPU; none is visible here")


def test_a_run_is_moved(home: Home) -> None:
    assert order(home) == [1, 2, 3, 4]
    assert call("queue", 4, "--first", home=home.root).exit_code == 0
    assert order(home) == [4, 1, 2, 3]
    moved = json.loads(call("queue", "#1", "--down", "--json", home=home.root).stdout)
    assert [each["run"]["id"] for each in moved["queue"]] == order(home) == [4, 2, 1, 3]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["queue", "1"], "say where"),
        (["queue", "--first"], "name it"),
        (["queue", "99", "--first"], "there is no run '99'"),
        (["--readonly", "queue", "1", "--first"], "--readonly moves nothing"),
    ],
)
def test_what_cannot_be_moved_is_refused(home: Home, arguments: list[str], words: str) -> None:
    refused = call(*arguments, home=home.root)
    assert refused.exit_code == 2
    assert words in refused.stderr
    assert order(home) == [1, 2, 3, 4]


def test_a_run_that_ended_has_no_place(home: Home) -> None:
    call("stop", 2, home=home.root)
    refused = call("queue", 2, "--up", home=home.root)
    assert refused.exit_code == 2
    assert "it has no place in the queue: it is stopped" in refused.stderr


def test_what_a_run_waits_for_is_said(home: Home) -> None:
    with open_store(home.store) as store:
        first = runs.get(store, 1)
    assert first is not None
    slots = [Slot("gpu:0", "GPU-a"), Slot("gpu:1", "GPU-b"), Slot("cpu", "")]
    assert waits_for(first, "cpu", slots, {}) == "cpu"
    assert waits_for(first, "auto", slots, {}) == "a free slot of gpu:0, gpu:1"
    barred = {"gpu:1": "busy (other): process 7 of ada"}
    words = "a free slot of gpu:0, gpu:1; gpu:1 busy (other): process 7 of ada"
    assert waits_for(first, "gpu", slots, barred) == words
