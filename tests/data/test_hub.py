"""A data set of the Hub is fetched once, and found again where the Hub is out of reach."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.data.fake_hub import FakeHub, serving
from tests.data.writing import json_lines
from workbench.data.sources import read
from workbench.errors import WorkbenchError
from workbench.supervision.environment import allowed

ROOT = Path(__file__).resolve().parents[2]
OLD, NEW = "1" * 40, "2" * 40
CARD = """---
configs:
- config_name: plain
  default: true
  data_files:
  - {split: train, path: train.jsonl}
  - {split: validation, path: dev.jsonl}
- config_name: other
  data_files:
  - {split: train, path: other.jsonl}
dataset_info:
- config_name: plain
  features:
  - {name: text, dtype: string}
  - name: label
    dtype: {class_label: {names: {'0': bad, '1': good}}}
---
"""
ASK = """
import json, sys
from pathlib import Path
from workbench.data.sources import read, validation_of
from workbench.errors import WorkbenchError
source, cache, split = sys.argv[1:]
try:
    table = read(source, Path(cache), split)
    rows = {column: table.values(column) for column in table.columns}
    own = validation_of(source, Path(cache))
    print(json.dumps({"rows": rows, "notes": table.notes, "names": dict(table.names), "validation": own}))
except WorkbenchError as error:
    print(json.dumps({"error": [error.what, error.where, error.hint]}))
"""


def files_of(word: str) -> dict[str, bytes]:
    rows = [{"text": f"{word} {number}", "label": number % 2} for number in range(4)]
    return {
        "README.md": CARD.encode(),
        "train.jsonl": json_lines(rows),
        "dev.jsonl": json_lines(rows[:2]),
        "other.jsonl": json_lines([{"words": word}]),
    }


@pytest.fixture(scope="module")
def hub() -> Iterator[FakeHub]:
    with serving(FakeHub("some/set", {"main": NEW, "v1": OLD}, {OLD: files_of("old"), NEW: files_of("new")})) as hub:
        yield hub


class Box:
    """A machine with its own caches; `ask` reads a source in a process of its own, as a check or a worker does."""

    def __init__(self, folder: Path) -> None:
        self.cache, self.home = folder / "cache", folder / "home"

    def ask(self, source: str, endpoint: str | None, split: str = "train", cache: Path | None = None) -> dict[str, Any]:
        """Return what a process says: one with the Hub at `endpoint`, or a worker, which is offline."""
        surroundings = {**os.environ, "HF_HOME": str(self.home), "PYTHONPATH": str(ROOT)}
        surroundings = surroundings | {"HF_ENDPOINT": endpoint} if endpoint else allowed(surroundings)
        done = subprocess.run(
            [sys.executable, "-c", ASK, source, str(cache or self.cache), split],
            env=surroundings, cwd=ROOT, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory, hub: FakeHub) -> Box:
    """Return a machine on which the check has fetched the newest revision."""
    box = Box(tmp_path_factory.mktemp("box"))
    fetched = box.ask("hub:some/set", hub.address)
    assert fetched["rows"] == {"text": ["new 0", "new 1", "new 2", "new 3"], "label": [0, 1, 0, 1]}
    assert fetched["notes"] == ["split train of plain at revision 222222222222, from the Hub"]
    assert (fetched["names"], fetched["validation"]) == ({"label": ["bad", "good"]}, "hub:some/set")
    return box


def test_a_worker_finds_what_the_check_fetched(box: Box) -> None:
    found = box.ask("hub:some/set", None)
    assert found["rows"] == {"text": ["new 0", "new 1", "new 2", "new 3"], "label": [0, 1, 0, 1]}
    assert found["notes"] == ["split train of plain at revision 222222222222, from the cache"]
    assert (found["names"], found["validation"]) == ({"label": ["bad", "good"]}, "hub:some/set")
    assert box.ask("hub:some/set", None, "validation")["rows"]["text"] == ["new 0", "new 1"]


def test_a_named_revision_is_never_another_one(box: Box, hub: FakeHub) -> None:
    assert box.ask(f"hub:some/set@{NEW}", None)["rows"]["text"][0] == "new 0"
    assert box.ask("hub:some/set@main", None)["rows"]["text"][0] == "new 0"
    what, where, hint = box.ask("hub:some/set@v1", None)["error"]
    assert what == f"the Hub is out of reach, and the cache in {box.cache} has revision 222222222222, not v1"
    assert (where, "--check" in hint) == ("hub:some/set@v1", True)
    old = Box(box.cache.parent / "old")
    for endpoint in (hub.address, None):
        assert old.ask("hub:some/set@v1", endpoint)["rows"]["text"][0] == "old 0"


def test_a_config_has_its_own_rows_and_splits(box: Box, hub: FakeHub) -> None:
    for endpoint in (hub.address, None):
        found = box.ask("hub:some/set#other", endpoint)
        assert (found["rows"], found["validation"]) == ({"words": ["new"]}, None)
    what, _, hint = box.ask("hub:some/set#other", None, "validation")["error"]
    assert (what, hint) == ("the data set has no validation split", "Its splits: train.")


def test_what_the_library_fetched_before_is_found_too(box: Box, hub: FakeHub, tmp_path: Path) -> None:
    own = Box(tmp_path)
    own.ask("hub:some/set", hub.address, cache=own.home / "datasets")
    assert own.ask("hub:some/set", None)["rows"]["text"][0] == "new 0"


def test_what_nobody_has_names_the_id_the_cache_and_the_next_step(box: Box, hub: FakeHub, tmp_path: Path) -> None:
    for source, endpoint in (("hub:some/other", hub.address), ("hub:some/other", None), ("hub:some/set#no", None)):
        what, where, hint = box.ask(source, endpoint)["error"]
        assert what.startswith(f"neither the Hub nor the cache in {box.cache} gives it: ")
        assert where == source
        assert "workbench train FILE --check" in hint
    assert "error" in Box(tmp_path).ask("hub:some/set", None)


@pytest.mark.parametrize("source", ["hub:", "hub:csv", "hub:a/b/c", "hub:../x", "hub:a/b@", "hub:a b/c"])
def test_what_is_no_id_is_refused(tmp_path: Path, source: str) -> None:
    with pytest.raises(WorkbenchError, match="not an id of a data set"):
        read(source, tmp_path)
