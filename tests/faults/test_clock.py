"""Neither a clock that jumps nor a number of a process that is written somewhere decides anything."""

from __future__ import annotations

import ast
import itertools
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from store import runs
from store.connection import open_store
from tests.faults.clock import Jumping, put_on_path
from tests.faults.damages import differing
from tests.making import tiny_backbone, toy_rows, write_jsonl
from tests.training.support import recipe_of, run_of
from tests.workbench.supervision.support import change, look, recipe, until, until_state
from workbench.paths import Home
from workbench.supervision import locks, queue

ROOT = Path(__file__).parents[2]
DECIDING = (
    *("workbench/supervision", "workbench/training", "store"),
    *("workbench/models/handover.py", "workbench/models/parents.py"),
)
CLOCKS = {"time", "time_ns", "now", "today", "utcnow", "st_mtime", "st_ctime", "st_atime", "st_mtime_ns"}
"""What gives the time of the wall clock: functions of `time` and `datetime`, and times of files."""
STAMPS = {"created", "started", "ended", "ts"}
"""Columns that hold such a time."""


@pytest.fixture
def jumping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Jumping:
    """Shift the clock of this process, of workers, and of what they start."""
    monkeypatch.setenv("PYTHONPATH", str(put_on_path(tmp_path / "clock")))
    clock = Jumping(time.time)
    monkeypatch.setattr(time, "time", clock)
    return clock


def test_a_queue_under_a_jumping_clock_keeps_its_order_and_its_states(home: Home, jumping: Jumping) -> None:
    first = queue.submit(home, recipe("wait"))
    until_state(home, first, "running")
    names = [f"quick-{number}" for number in range(5)]
    submitted = [queue.submit(home, recipe(name)) for name in names]
    assert any(later < earlier - 3000 for earlier, later in itertools.pairwise(jumping.told))
    for _ in range(5):
        queue.advance(home)
    assert [look(home, run).state for run in (first, *submitted)] == ["running", *["queued"] * 5]
    queue.stop(home, first)
    ended = [until_state(home, run, *runs.ENDED) for run in submitted]
    assert [(run.state, run.attempt) for run in ended] == [("finished", 1)] * 5
    now = jumping.true()
    assert any(abs(float(run.ended or 0) - now) > 3000 for run in ended), "the workers had a true clock"
    begun = [home.run_folder(run.uid) / "begun" for run in ended]
    # The kernel's own times are true here: they tell in which order the workers began.
    order = sorted(begun, key=lambda file: file.stat().st_mtime_ns)
    assert order == begun
    with open_store(home.store) as store:
        assert [run.id for run in runs.listing(store)] == [run.id for run in reversed((first, *submitted))]


def test_a_death_under_a_jumping_clock_is_told_and_resumed(home: Home, jumping: Jumping) -> None:
    run = queue.submit(home, recipe("wait"))
    until(lambda: look(home, run).step == 7)
    assert locks.signal_worker(home.run_folder(run.uid), signal.SIGKILL)
    assert until_state(home, run, "crashed").error == "killed by SIGKILL at step 7"
    queue.resume(home, look(home, run))
    assert until_state(home, run, "running").attempt == 2


def test_training_under_a_jumping_clock_is_the_same_to_the_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write_jsonl(tmp_path / "rows.jsonl", toy_rows(40))
    made = recipe_of(tiny_backbone(tmp_path / "backbone"), data, training={"epochs": 1}, checkpoint={"every": 2})
    for name in ("calm", "jumping"):
        (tmp_path / name).mkdir()
    calm = run_of(made, tmp_path / "calm")
    monkeypatch.setattr(time, "time", Jumping(time.time))
    assert differing(calm, run_of(made, tmp_path / "jumping"), 0) == []


def test_forged_numbers_neither_kill_the_living_nor_wake_the_dead(home: Home) -> None:
    run = queue.submit(home, recipe("wait"))
    until(lambda: look(home, run).step == 7)
    folder = home.run_folder(run.uid)
    (folder / "started.1").write_text("another boot")
    (folder / "pid").write_text("1")
    (folder / "started.9").write_text("")
    change(home, run, host="elsewhere", ended=1.0, exit_code=9)
    queue.advance(home)
    assert look(home, run).state == "running"
    following = queue.submit(home, recipe("quick"))
    assert following.state == "queued"
    assert locks.signal_worker(folder, signal.SIGKILL)
    until_state(home, run, "crashed")
    until_state(home, following, "finished")
    until(lambda: not locks.alive(folder))
    for name in ("life", "claim", "pid"):
        (folder / name).write_text(str(os.getpid()))
    change(home, run, state="running", ended=9e9)
    queue.advance(home)
    # Its folder says how it ended.
    assert look(home, run).state == "crashed"
    queue.resume(home, look(home, run))
    assert until_state(home, run, "running").attempt == 10


@pytest.mark.parametrize("lease", [b"", b"no such run", b"../..", b"\xff\xfe", b"0" * 26])
def test_a_forged_lease_of_a_slot_blocks_nothing(home: Home, lease: bytes) -> None:
    home.slots.mkdir(exist_ok=True)
    (home.slots / "cpu").write_bytes(lease)
    until_state(home, queue.submit(home, recipe("quick")), "finished")


def breaches(path: str, source: str) -> list[str]:
    """Return where a time of the wall clock is compared, or put in order, or subtracted to be."""
    tree = ast.parse(source)
    names = _clocked(tree)
    return sorted({f"{path}:{node.lineno}" for node in ast.walk(tree) if _decides(node, names)})


def _clocked(tree: ast.AST) -> set[str]:
    """Return the names that are given the time of the wall clock, as it is or reckoned with."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, (ast.Call, ast.BinOp, ast.Attribute)):
            reckoned = node.value if isinstance(node.value, ast.BinOp) else None
            parts = ast.walk(reckoned) if reckoned else [node.value]
            if any(_is_clock(each, found) for each in parts):
                found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return found


def _decides(node: ast.AST, names: set[str]) -> bool:
    if isinstance(node, ast.Compare):
        ordered = any(isinstance(each, (ast.Lt, ast.LtE, ast.Gt, ast.GtE)) for each in node.ops)
        return ordered and any(_is_clock(each, names) or _is_stamp(each) for part in _parts(node) for each in part)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
        return any(_is_clock(each, names) or _is_stamp(each) for each in (node.left, node.right))
    return False


def _parts(node: ast.Compare) -> Iterator[Iterator[ast.AST]]:
    yield from (ast.walk(side) for side in (node.left, *node.comparators))


def _is_clock(node: ast.AST, names: set[str]) -> bool:
    if isinstance(node, ast.Name):
        return node.id in names
    if isinstance(node, ast.Attribute):
        return node.attr.startswith("st_") and node.attr in CLOCKS
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCKS


def _is_stamp(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr in STAMPS


@pytest.mark.parametrize("place", DECIDING)
def test_no_decision_looks_at_the_wall_clock(place: str) -> None:
    given = ROOT / place
    files = sorted(given.rglob("*.py")) if given.is_dir() else [given]
    assert files
    found = [breaches(str(file.relative_to(ROOT)), file.read_text(encoding="utf-8")) for file in files]
    assert list(itertools.chain(*found)) == []


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("if time.time() > x: pass", 1),
        ("now = time.time()\nif now - run.created > 5: pass", 1),
        ("deadline = time.time() + 5\nwhile deadline > other: pass", 1),
        ("if path.stat().st_mtime < x: pass", 1),
        ("if datetime.now() >= then: pass", 1),
        ("if run.ended < 5: pass", 1),
        ("deadline = time.monotonic() + 5\nwhile time.monotonic() < deadline: pass", 0),
        ("row = (time.time(), run.step)", 0),
        ("if run.ended is None: pass", 0),
        ("now = time.time()\nstore(now)", 0),
    ],
)
def test_a_decision_by_the_wall_clock_is_seen(source: str, count: int) -> None:
    assert len(breaches("a.py", source)) == count
