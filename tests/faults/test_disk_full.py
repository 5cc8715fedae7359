"""A real worker on a small disk that is filled to the last byte: it waits, says so, and goes on with nothing lost."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from store import events, points
from store.connection import prepare, read_store
from store.upkeep import damages
from tests.commands.support import call
from tests.making import tiny_backbone, toy_rows, write_jsonl
from tests.store import lived
from tests.workbench.supervision.support import end_all, until
from workbench.box import full_disk
from workbench.paths import Home
from workbench.supervision import queue
from workbench.training.journal import entries_of, lines_of

DISK = "48m"
BLOCK = 4096


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=0700", "tmpfs", str(place)]
    try:
        mounted = subprocess.run(words, capture_output=True).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("no file system may be mounted here")
    yield place
    end_all(Home(place / "home"))
    until(lambda: subprocess.run(["umount", str(place)], capture_output=True).returncode == 0)


def fill(place: Path) -> Path:
    """Write a file until not one more byte has room."""
    ballast = place / "ballast"
    descriptor = os.open(ballast, os.O_WRONLY | os.O_CREAT)
    try:
        while True:
            os.write(descriptor, b"x" * BLOCK)
    except OSError as error:
        if not full_disk.is_full(error):
            raise
    finally:
        os.close(descriptor)
    return ballast


def test_a_full_disk_is_waited_for(disk: Path, tmp_path: Path) -> None:
    tiny_backbone(tmp_path / "backbone", hidden_size=128, intermediate_size=512)
    write_jsonl(tmp_path / "rows.jsonl", toy_rows(64))
    home = Home(disk / "home").create()
    prepare(home.store)
    with lived.slots("cpu"):
        run = queue.submit(home, lived.recipe_in(tmp_path, "long", epochs=12))
        lived.wait(home, run, lambda run: run.step > 3)
        ballast = fill(disk)
        waiting = lived.wait(home, run, lambda run: bool(run.held) or lived.ended(run))
        assert (waiting.state, waiting.held) == ("running", "disk full")
        assert "delete runs" in (waiting.error or "")
        assert "running: disk full" in call("ls", home=home.root).stdout
        assert (waiting.error or "")[:40] in call("show", run.id, home=home.root).stdout
        folder = home.run_folder(run.uid)
        assert list(folder.rglob(".tmp-*")) == []
        ballast.unlink()
        end = lived.wait(home, run, lived.ended)
    assert (end.state, end.reason, end.error, end.attempt) == ("finished", None, None, 1)
    with read_store(home.store) as store:
        assert points.curve(store, run.id, "train/loss")[0] == list(range(1, end.step + 1))
        said = [event.kind for event in events.listing(store, run.id)]
        assert (said.count("disk_full"), said.count("goes_on")) == (1, 1)
        assert damages(store) == []
    numbers = [entry.number for entry in entries_of(folder)]
    assert numbers == list(range(1, len(list(lines_of(folder))) + 1))
    assert end.journal == numbers[-1]
