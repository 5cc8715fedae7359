"""`workbench retry` starts a run that ran out of memory again, and refuses what it cannot help."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from store import runs
from store.connection import open_store
from tests.commands.support import call
from tests.workbench.supervision.support import recipe
from workbench.paths import Home
from workbench.supervision import queue


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home where nothing starts, with a run whose GPU was full and one that was stopped."""
    monkeypatch.setenv("WORKBENCH_SLOTS", "none")
    home = Home(tmp_path / "home")
    for name, state in (("full", "failed"), ("stopped", "stopped")):
        run = queue.submit(home, recipe(name, training={"batch_size": 2}))
        with open_store(home.store) as store:
            reason = "gpu_oom" if state == "failed" else "user"
            assert runs.move(store, run.id, state, since=("queued",), reason=reason, error="out of GPU memory")
    return home


def test_a_run_is_started_again(home: Home) -> None:
    told = call("retry", 1, home=home.root)
    assert told.exit_code == 0
    assert "Run #3 full-2 is queued: batches of 1, 2 of them an update." in told.stdout
    shown = json.loads(call("retry", "full", "--json", home=home.root).stdout)
    assert (shown["id"], shown["parent_id"], shown["state"]) == (4, 1, "queued")
    log = json.loads(call("log", 1, "--json", home=home.root).stdout)
    assert [event["kind"] for event in log] == ["retry", "retry"]


def test_what_is_no_shortage_of_memory_is_refused(home: Home) -> None:
    refused = call("retry", 2, home=home.root)
    assert refused.exit_code == 2
    assert "it did not run out of memory: it is stopped" in refused.stderr
    assert "To go on with it: workbench resume" in refused.stderr
    assert call("--readonly", "retry", 1, home=home.root).exit_code == 2
    with open_store(home.store) as store:
        assert len(runs.listing(store)) == 2


def test_the_page_of_the_run_says_what_helps(home: Home) -> None:
    shown = call("show", 1, home=home.root).stdout
    assert "! out of GPU memory" in shown
    assert "remedy: batch 2 → 1, added up 1 → 2 times: the same updates" in shown
    assert "try: workbench retry 1\n" in shown
