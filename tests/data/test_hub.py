"""A data set of the Hub is fetched once, and found again where the Hub is out of reach."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from tests.data.fake_hub import FakeHub, serving
from tests.data.writing import json_lines
from workbench.data.sources import read
from workbench.errors import WorkbenchError
from workbench.models.hub import fetch_missing
from workbench.recipe import parse
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
from workbench.recipe import parse
cache = Path(sys.argv[1])
answers = []
for question in sys.argv[2:]:
    source, _, split = question.partition(" ")
    try:
        table = read(source, cache, split or "train")
        rows = {column: table.values(column) for column in table.columns}
        own = validation_of(source, cache)
        answers.append({"rows": rows, "notes": table.notes, "names": dict(table.names), "validation": own})
    except WorkbenchError as error:
        answers.append({"error": [error.what, error.where, error.hint]})
print(json.dumps(answers))
"""
WORDS = ["new 0", "new 1", "new 2", "new 3"]
Answers = dict[str, dict[str, Any]]


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
    """A machine with its own caches."""

    def __init__(self, folder: Path) -> None:
        self.cache, self.home = folder / "cache", folder / "home"

    def fetch(self, endpoint: str, *sources: str, cache: Path | None = None) -> dict[str, str]:
        """Have what a recipe names fetched from the Hub at `endpoint`; return source → why it could not be had."""
        found: dict[str, str] = {}
        surroundings = {"HF_HOME": str(self.home), "HF_ENDPOINT": endpoint}
        with patch.dict(os.environ, surroundings), patch("workbench.models.hub.LOOK_UP_SECONDS", 120.0):
            for source in sources:
                recipe = parse({"task": "sentiment", "data": source, "backbone": "size:tiny", "strategy": "full"})
                found |= fetch_missing(recipe, cache or self.cache)
        return found

    def ask(self, *questions: str) -> Answers:
        """Return question ("SOURCE" or "SOURCE SPLIT") → what a process of its own says, which is offline."""
        surroundings = allowed({**os.environ, "HF_HOME": str(self.home), "PYTHONPATH": str(ROOT)})
        done = subprocess.run(
            [sys.executable, "-c", ASK, str(self.cache), *questions],
            env=surroundings, cwd=ROOT, capture_output=True, text=True, timeout=200,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return dict(zip(questions, json.loads(done.stdout), strict=True))


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Box:
    """Return a machine whose caches are empty until a check has run."""
    return Box(tmp_path_factory.mktemp("box"))


@pytest.fixture(scope="module")
def refused(box: Box, hub: FakeHub) -> dict[str, str]:
    """Return what a check could not fetch, and why."""
    return box.fetch(hub.address, "hub:some/set", "hub:some/set#other", "hub:some/other", "hub:some/set#no")


@pytest.fixture(scope="module")
def offline(box: Box, refused: dict[str, str]) -> Answers:
    """Return what a worker says after the check."""
    pinned = (f"hub:some/set@{revision}" for revision in (NEW, "main", "v1", OLD))
    others = ("hub:some/set#other", "hub:some/set#other validation", "hub:some/other", "hub:some/set#no")
    return box.ask("hub:some/set", "hub:some/set validation", *pinned, *others)


def test_what_the_check_fetched_the_worker_finds(offline: Answers) -> None:
    found = offline["hub:some/set"]
    assert found["rows"] == {"text": WORDS, "label": [0, 1, 0, 1]}
    assert found["notes"] == ["split train of plain at revision 222222222222"]
    assert (found["names"], found["validation"]) == ({"label": ["bad", "good"]}, "hub:some/set")
    assert offline["hub:some/set validation"]["rows"]["text"] == WORDS[:2]


def test_a_config_has_its_own_rows_and_splits(offline: Answers) -> None:
    found = offline["hub:some/set#other"]
    assert (found["rows"], found["validation"]) == ({"words": ["new"]}, None)
    what, _, hint = offline["hub:some/set#other validation"]["error"]
    assert (what, hint) == ("the data set has no validation split", "Its splits: train.")


def test_a_named_revision_is_never_another_one(box: Box, offline: Answers) -> None:
    for revision in (NEW, "main"):
        assert offline[f"hub:some/set@{revision}"]["rows"]["text"] == WORDS
    for revision in ("v1", OLD):
        what, where, hint = offline[f"hub:some/set@{revision}"]["error"]
        has = f"the Hub is out of reach, and the cache in {box.cache} has revision 222222222222"
        assert what == f"{has}, not {revision[:12]}"
        assert (where, "--check" in hint) == (f"hub:some/set@{revision}", True)


def test_what_nobody_has_names_the_id_the_cache_and_the_next_step(
    box: Box, hub: FakeHub, refused: dict[str, str], offline: Answers
) -> None:
    assert refused.keys() == {"hub:some/other", "hub:some/set#no"}
    assert all(reason.startswith(hub.address.removeprefix("http://")) for reason in refused.values())
    for source in refused:
        what, where, hint = offline[source]["error"]
        assert what.startswith(f"neither the Hub nor the cache in {box.cache} gives it: ")
        assert where == source
        assert "workbench train FILE --check" in hint


def test_what_the_library_fetched_before_is_found_at_its_revision(hub: FakeHub, tmp_path: Path) -> None:
    own = Box(tmp_path)
    assert own.fetch(hub.address, "hub:some/set@v1", cache=own.home / "datasets") == {}
    assert own.ask("hub:some/set@v1")["hub:some/set@v1"]["rows"]["text"][0] == "old 0"


@pytest.mark.parametrize("source", ["hub:", "hub:csv", "hub:a/b/c", "hub:../x", "hub:a/b@", "hub:a b/c"])
def test_what_is_no_id_is_refused(tmp_path: Path, source: str) -> None:
    with pytest.raises(WorkbenchError, match="not an id of a data set"):
        read(source, tmp_path)
