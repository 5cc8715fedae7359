"""A home that has lived: runs of every end, really trained, made once for all tests that lose its store."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from store import runs, trials
from store.connection import open_store, prepare
from store.runs import Run
from tests.making import tiny_backbone, toy_rows, write_jsonl
from tests.workbench.supervision.support import processes
from workbench.paths import Home
from workbench.recipe import Recipe, parse
from workbench.supervision import locks, queue

PATIENCE = 240.0


@contextmanager
def slots(words: str) -> Iterator[None]:
    before = os.environ.get("WORKBENCH_SLOTS")
    os.environ["WORKBENCH_SLOTS"] = words
    try:
        yield
    finally:
        if before is None:
            del os.environ["WORKBENCH_SLOTS"]
        else:
            os.environ["WORKBENCH_SLOTS"] = before


def recipe_in(root: Path, name: str, epochs: float = 2, **tables: object) -> Recipe:
    """Return a recipe over the tiny data in `root`, which are made where they are not there."""
    rows, backbone = root / "rows.jsonl", root / "backbone"
    if not backbone.exists():
        write_jsonl(rows, toy_rows(64))
        tiny_backbone(backbone)
    training = {"epochs": epochs, "batch_size": 8, "max_length": 16}
    plain = {"name": name, "task": "sentiment", "data": str(rows), "backbone": str(backbone), "strategy": "gradual"}
    evaluation, checkpoint = {"every": 3}, {"every": 2}
    hardware = {"device": "cpu", "threads": 1}
    return parse({**plain, "training": training, "evaluation": evaluation, "checkpoint": checkpoint,
                  "hardware": hardware, **tables})  # fmt: skip


def look(home: Home, run_id: int) -> Run:
    with open_store(home.store) as store:
        run = runs.get(store, run_id)
    assert run is not None
    return run


def wait(home: Home, run: Run, arrived: Callable[[Run], bool], *, going: bool = True) -> Run:
    """Return a run when it fulfils the predicate; `going` keeps the queue going meanwhile."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if going:
            queue.advance(home)
        now = look(home, run.id)
        if arrived(now):
            return now
        time.sleep(0.05)
    raise AssertionError(f"waited {PATIENCE} s: {now}, {(home.run_folder(run.uid) / 'log.txt').read_text()[-2000:]}")


def until_gone(home: Home, run: Run) -> None:
    """Wait until no process of a run is there any more."""
    deadline = time.monotonic() + PATIENCE
    while locks.alive(home.run_folder(run.uid)) or processes("shepherd.py", run.uid):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def ended(run: Run) -> bool:
    return run.state in runs.ENDED


def live(root: Path) -> Home:
    """Return a home with runs that finished, stopped and went on, failed, were killed, wait, and follow from others."""
    home = Home(root / "home").create()
    prepare(home.store)
    with slots("cpu,cpu"):
        first = queue.submit(home, recipe_in(root, "first"), grp="pair")
        child = queue.submit(home, recipe_in(root, "child", backbone=f"run:{first.uid}"), grp="pair")
        failing = queue.submit(home, recipe_in(root, "failing", data=str(root / "gone.jsonl")))
        stopped = queue.submit(home, recipe_in(root, "stopped", epochs=60))
        assert [wait(home, run, ended).state for run in (first, child, failing)] == ["finished", "finished", "failed"]
        wait(home, stopped, lambda run: run.step > 3)
        queue.stop(home, stopped)
        wait(home, stopped, ended)
        queue.resume(home, stopped)
        step = look(home, stopped.id).step
        wait(home, stopped, lambda run: run.attempt == 2 and run.step > step + 3)
        locks.signal_worker(home.run_folder(stopped.uid), signal.SIGKILL)
        assert wait(home, stopped, ended).state == "crashed"
        # Its shepherd lets the queue go on at its very end: nothing may wait in it by then.
        until_gone(home, stopped)
    with slots("none"):
        queue.submit(home, recipe_in(root, "waiting"))
    with open_store(home.store) as store:
        trials.add(store, "sentiment", "a good day", {first.id: ({"good": 0.9}, 3.0)})
        with store.write() as connection:
            connection.execute("UPDATE run SET note='the first one', pinned=1 WHERE id=?", (first.id,))
            connection.execute("INSERT INTO tag VALUES(?, 'keep')", (first.id,))
    return home
