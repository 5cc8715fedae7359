"""A home with a real store, one slot, and a worker that trains nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from store.connection import prepare
from tests.workbench.supervision.support import end_all
from workbench.paths import Home


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
    end_all(home)
