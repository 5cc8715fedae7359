"""A run belongs to the box: nothing that happens to the screen that started it reaches it."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from store import points, runs
from store.connection import Store, prepare, read_store
from store.runs import Run
from tests.terminal import Terminal
from tests.workbench.supervision.support import end_all
from workbench.paths import Home

PATIENCE = 120.0
APP = [sys.executable, "-m", "workbench"]


def stall(terminal: Terminal) -> None:
    """Read nothing of what the app writes while keys make it write: its terminal is full before long."""
    for _ in range(200):
        terminal.send("2", "1")


HARMS: dict[str, Callable[[Terminal], None]] = {
    "the app is killed": Terminal.kill,
    "the terminal hangs up": Terminal.close,
    "the terminal stalls": stall,
}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path / "home").create()
    prepare(home.store)
    yield home
    end_all(home)


@pytest.mark.parametrize("harm", HARMS)
def test_a_run_started_in_the_app_goes_on(harm: str, home: Home) -> None:
    env = {"WORKBENCH_HOME": str(home.root), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with Terminal(APP, env, size=(120, 40)) as terminal, read_store(home.store) as store:
        terminal.read_until("No runs yet")
        terminal.send("n")
        terminal.read_until(planned, timeout=PATIENCE)
        terminal.send("ctrl+s")
        begun = wait(store, lambda run: run.step > 3)
        HARMS[harm](terminal)
        ended = wait(store, lambda run: run.state in runs.ENDED)
        steps, _ = points.curve(store, ended.id, "train/loss")
    assert (ended.state, ended.attempt, ended.uid) == ("finished", 1, begun.uid)
    assert steps == list(range(1, ended.step + 1))
    with Terminal(APP, env) as later:
        later.read_until("done")
        later.send("q")
        assert later.wait() == 0


def planned(screen: str) -> bool:
    """Whether the plan of a new run stands on the screen: `90 updates over 320 rows`."""
    return re.search(r"\d updates over", screen) is not None


def wait(store: Store, arrived: Callable[[Run], bool]) -> Run:
    """Return the newest run when it fulfils the predicate."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = runs.listing(store, limit=1)
        if found and arrived(found[0]):
            return found[0]
        time.sleep(0.05)
    raise AssertionError(f"waited {PATIENCE} s: {runs.listing(store, limit=1)}")
