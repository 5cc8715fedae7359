from pathlib import Path

import pytest

from store.connection import Store, open_store, prepare


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store."""
    path = tmp_path / "workbench.db"
    prepare(path)
    return open_store(path)
