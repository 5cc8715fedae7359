"""A run belongs to the box, not to the connection: proved over a real SSH connection to this machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from store import points, runs
from store.connection import Store, prepare, read_store
from tests.faults.ssh import MISSING, Server
from tests.faults.test_screen import APP, planned, wait
from tests.making import tiny_backbone, toy_rows, write_jsonl
from tests.terminal import Terminal
from tests.workbench.supervision.support import end_all, processes, until
from workbench.paths import Home
from workbench.recipe import parse
from workbench.supervision import locks

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed here: {', '.join(MISSING)}")

PATIENCE = 120.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    folder = tmp_path / "ssh"
    folder.mkdir(mode=0o700)
    server = Server(folder)
    yield server
    server.close()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path / "home").create()
    prepare(home.store)
    yield home
    end_all(home)


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """The recipe of a run that goes on until it is stopped."""
    made = parse(
        {
            "task": "sentiment",
            "data": str(write_jsonl(tmp_path / "rows.jsonl", toy_rows(80))),
            "backbone": str(tiny_backbone(tmp_path / "backbone")),
            "strategy": "full",
            "training": {"epochs": 10_000, "batch_size": 8, "max_length": 32},
            "evaluation": {"every": 100_000},
            "checkpoint": {"every": 100},
            "hardware": {"device": "cpu", "threads": 1},
        }
    )
    (tmp_path / "recipe.toml").write_text(made.to_toml(), encoding="utf-8")
    return tmp_path / "recipe.toml"


def hang_up(terminal: Terminal, server: Server) -> None:
    """Kill the client: the connection is gone and the server's terminal hangs up."""
    terminal.kill()


def crash(terminal: Terminal, server: Server) -> None:
    server.drop()


HARMS: dict[str, Callable[[Terminal, Server], None]] = {"the client is killed": hang_up, "the server crashes": crash}


@pytest.fixture
def env(home: Home) -> dict[str, str]:
    path = os.pathsep.join(filter(None, sys.path))
    return {"WORKBENCH_HOME": str(home.root), "WORKBENCH_SLOTS": "cpu", "PYTHONPATH": path}


def watch_and_stop(server: Server, env: dict[str, str], store: Store, name: str) -> None:
    """Connect anew, see the run live, stop it, and find every step of it logged."""
    with Terminal(server.command(APP, env), size=(120, 40)) as screen:
        screen.read_until(lambda shown: "1 training" in shown and name in shown, timeout=PATIENCE)
        screen.send("3")
        screen.read_until("loss · smooth", timeout=PATIENCE)
        screen.send("q")
        assert screen.wait(PATIENCE) == 0
    with Terminal(server.command([*APP, "stop", "1", "--wait"], env)) as stopping:
        assert stopping.wait(PATIENCE) == 0
    ended = wait(store, lambda run: run.state in runs.ENDED)
    steps, _ = points.curve(store, ended.id, "train/loss")
    assert (ended.state, ended.attempt) == ("stopped", 1)
    assert steps == list(range(1, ended.step + 1))


@pytest.mark.parametrize("harm", HARMS)
def test_a_run_outlives_the_connection_that_started_it(
    harm: str, server: Server, home: Home, env: dict[str, str], recipe: Path
) -> None:
    train = server.command([*APP, "train", str(recipe), "--wait"], env)
    with Terminal(train) as terminal, read_store(home.store) as store:
        begun = wait(store, lambda run: run.step > 20)
        worker = locks.worker_pid(home.run_folder(begun.uid))
        HARMS[harm](terminal, server)
        until(lambda: not server.sessions() and not processes("workbench", "train", str(recipe)), PATIENCE)
        later = wait(store, lambda run: run.step > begun.step + 20)
        assert (later.state, locks.worker_pid(home.run_folder(later.uid))) == ("running", worker)
        watch_and_stop(server, env, store, later.name)


def test_a_run_started_in_the_app_outlives_the_connection(server: Server, home: Home, env: dict[str, str]) -> None:
    with Terminal(server.command(APP, env), size=(120, 40)) as terminal, read_store(home.store) as store:
        terminal.read_until("No runs yet", timeout=PATIENCE)
        terminal.send("n")
        terminal.read_until(planned, timeout=PATIENCE)
        terminal.send("ctrl+s")
        begun = wait(store, lambda run: run.step > 0)
        terminal.kill()
        until(lambda: not server.sessions(), PATIENCE)
        watch_and_stop(server, env, store, begun.name)
