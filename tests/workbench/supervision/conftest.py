"""A home with a real store, one slot, and a worker that trains nothing."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from store import runs
from store.connection import open_store, prepare
from tests.workbench.supervision.support import until
from workbench.paths import Home
from workbench.supervision import locks


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "workbench.db"
    prepare(path)
    return path


@pytest.fixture
def home(tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    monkeypatch.setenv("WORKBENCH_WORKER_MODULE", "tests.faults.fake_worker")
    monkeypatch.setenv("WORKBENCH_SLOTS", "cpu")
    home = Home(tmp_path / "home").create()
    shutil.copy(empty_store, home.store)
    yield home
    # A run that is queued must not start while the others are ended.
    with open_store(home.store) as store:
        for run in runs.listing(store, states=("queued",)):
            runs.move(store, run.id, "stopped", since=("queued",))
    for folder in home.runs.iterdir():
        locks.signal_worker(folder, signal.SIGKILL)
        until(lambda folder=folder: locks.signal_worker(folder, signal.SIGKILL) or not locks.alive(folder))
        until(lambda folder=folder: not locks.alive(folder))
