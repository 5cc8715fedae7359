from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from screens import trial_ask
from tests.screens.places import FakeClient, add_predictions
from tests.screens.seed import seed
from workbench.paths import Home


@pytest.fixture(autouse=True)
def _greenwich(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Show clock times of one zone, whoever runs the tests."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home to look at."""
    return seed(tmp_path_factory.mktemp("seeded") / "home")


@pytest.fixture
def home(seeded: Home, tmp_path: Path) -> Home:
    """A home of one's own to change."""
    return Home(Path(shutil.copytree(seeded.root, tmp_path / "home")))


@pytest.fixture
def judged(seeded: Home, tmp_path: Path) -> Home:
    """A seeded home with predictions, to change."""
    home = Home(Path(shutil.copytree(seeded.root, tmp_path / "home")))
    add_predictions(home)
    return home


@pytest.fixture
def client(seeded: Home, monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    """The process that answers, as a fake that does so at once."""
    fake = FakeClient(seeded)
    fake.open.set()
    monkeypatch.setattr(trial_ask, "open_client", lambda home: fake)
    return fake
