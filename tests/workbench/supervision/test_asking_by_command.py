"""Stop, pause, checkpoint and evaluate from the command line: each prints what the worker answers, with its step."""

from __future__ import annotations

import json
import time

import pytest

from store.runs import Run
from tests.commands.support import call
from tests.workbench.supervision.support import look, recipe, until
from workbench.paths import Home
from workbench.supervision import queue, replies


def running(home: Home, name: str, grp: str | None = None) -> Run:
    run = queue.submit(home, recipe(name), grp=grp)
    until(lambda: look(home, run).step == 7)
    return look(home, run)


@pytest.mark.parametrize("verb", ["checkpoint", "evaluate"])
def test_a_run_goes_on_after_what_it_was_asked(home: Home, verb: str) -> None:
    run = running(home, "wait")
    asked = call(verb, run.id, home=home.root)
    assert (asked.exit_code, asked.stdout, asked.stderr) == (0, f"#1 wait {verb} after update 7, as asked\n", "")
    told = json.loads(call(verb, run.id, "--json", home=home.root).stdout)
    assert (told["done"], told["step"], told["run"]["state"]) == (True, 7, "running")


@pytest.mark.parametrize(("verb", "state"), [("pause", "paused"), ("stop", "stopped")])
def test_a_run_is_ended_and_waited_for(home: Home, verb: str, state: str) -> None:
    run = running(home, "wait")
    told = json.loads(call(verb, run.id, "--wait", "--json", home=home.root).stdout)
    assert (told["done"], told["step"], told["run"]["state"]) == (True, 7, state)
    assert told["answer"] == f"#1 wait {verb} after update 7, as asked"


def test_a_group_is_asked_as_far_as_it_can_be(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_SLOTS", "cpu,cpu")
    first, second = running(home, "wait", "g"), running(home, "wait", "g")
    third = queue.submit(home, recipe("quick"), grp="g")
    told = json.loads(call("checkpoint", "--group", "g", "--json", home=home.root).stdout)
    assert [(each["run"]["id"], each["step"]) for each in told] == [(first.id, 7), (second.id, 7)]
    told = json.loads(call("pause", "--group", "g", "--wait", "--json", home=home.root).stdout)
    assert [(each["run"]["id"], each["run"]["state"], each["step"]) for each in told] == [
        (third.id, "paused", None), (first.id, "paused", 7), (second.id, "paused", 7),
    ]  # fmt: skip
    nothing = call("evaluate", "--group", "g", home=home.root)
    assert (nothing.exit_code, nothing.stdout) == (0, "No run of the group is running.\n")


def test_a_busy_worker_is_told_of_and_waited_for_no_longer(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replies, "SECONDS", 0.5)
    run, began = running(home, "busy"), time.monotonic()
    told = call("checkpoint", run.id, home=home.root)
    assert told.exit_code == 1
    assert told.stdout == "#1 busy heard it at update 7 and is busy. It does so before its next update\n"
    assert time.monotonic() - began < 20


def test_an_ended_run_is_refused(home: Home) -> None:
    run = queue.submit(home, recipe("quick"))
    until(lambda: look(home, run).state == "finished")
    for verb in ("pause", "checkpoint", "evaluate"):
        refused = call(verb, run.id, home=home.root)
        assert (refused.exit_code, refused.stdout) == (2, "")
        assert "it is finished" in refused.stderr
