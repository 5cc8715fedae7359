"""Why a run ended is told in words, whatever ended it, and a GPU that was lost is left alone."""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from store import checkpoints, events, points, runs
from store.connection import open_store, prepare
from store.runs import Run
from tests.commands.support import call
from tests.making import tiny_backbone, toy_rows, write_jsonl
from tests.workbench.supervision.support import end_all, look, recipe, until
from workbench.errors import WorkbenchError
from workbench.paths import Home
from workbench.recipe import parse
from workbench.supervision import locks, lost_gpus, queue, shepherd
from workbench.training.loop import NotFinite
from workbench.training.publish import verify
from workbench.training.worker import reason_of

SECONDS = 120.0


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    monkeypatch.setenv("WORKBENCH_WORKER_MODULE", "tests.faults.dying_worker")
    monkeypatch.setenv("WORKBENCH_SLOTS", "cpu")
    home = Home(tmp_path / "home").create()
    prepare(home.store)
    yield home
    end_all(home)


def ended(home: Home, run: Run) -> Run:
    until(lambda: look(home, run).state in runs.ENDED and not locks.alive(home.run_folder(run.uid)), SECONDS)
    return look(home, run)


def too_large() -> Exception:
    """Return what torch says of more memory than the machine has."""
    try:
        torch.empty(1 << 50)
    except RuntimeError as error:
        return error
    raise AssertionError("a machine with a petabyte")


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        (too_large(), "host_oom"),
        (MemoryError(), "host_oom"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk_full"),
        (NotFinite("no finite gradient"), "nan"),
        (WorkbenchError("row 3 has no label"), "data"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "gpu_oom"),
        (RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be"), "gpu_oom"),
        (RuntimeError("CUDA error: unknown error\nCUDA kernel errors might be"), "gpu_lost"),
        (RuntimeError("CUDA error: uncorrectable ECC error encountered"), "gpu_lost"),
        (RuntimeError("CUDA error: device-side assert triggered"), "code"),
        (RuntimeError("unknown error"), "code"),
        (KeyError("x"), "code"),
    ],
)
def test_each_kind_of_failure_has_its_reason(problem: Exception, reason: str) -> None:
    assert reason_of(problem) == reason


@pytest.mark.parametrize(
    ("groups", "file", "grew"),
    [
        ("0::/job", "job/memory.events", True),
        ("3:memory:/job\n0::/", "memory/job/memory.oom_control", True),
        ("0::/job", "elsewhere/memory.events", False),
    ],
)
def test_a_worker_killed_for_memory_says_so(
    groups: str, file: str, grew: bool, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = tmp_path / "cgroup" / file
    counter.parent.mkdir(parents=True)
    counter.write_text("low 0\noom_kill 7\n")
    (tmp_path / "groups").write_text(groups)
    monkeypatch.setattr(shepherd, "CONTROL_GROUPS", tmp_path / "groups")
    monkeypatch.setattr(shepherd, "MEMORY", tmp_path / "cgroup")
    monkeypatch.setenv("WORKBENCH_COUNTER", str(counter))
    monkeypatch.setenv("WORKBENCH_SLOTS", "none")
    run = queue.submit(home, recipe("memory"))
    claim = locks.take_claim(home.run_folder(run.uid))
    assert claim is not None
    with open_store(home.store) as store:
        assert runs.start(store, run.id, 1, "cpu")
    charge = shepherd.Charge(home, run.id, run.uid, 1, (claim,), "cpu", "", sys.executable)
    shepherd.record(charge, shepherd.carry_out(charge))
    os.close(claim)
    found = look(home, run)
    killed = "killed by SIGKILL before its first step"
    expected = ("host_oom", f"{killed}: the machine ran out of memory") if grew else ("signal", killed)
    assert (found.state, found.exit_code, (found.reason, found.error)) == ("crashed", -signal.SIGKILL, expected)


def test_a_gpu_that_was_lost_is_left_out_until_it_is_cleared(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_SLOTS", "gpu:0,cpu")
    lost = ended(home, queue.submit(home, recipe("lost")))
    assert (lost.state, lost.reason, lost.slot) == ("failed", "gpu_lost", "gpu:0")
    assert lost.error == "CUDA error: unspecified launch failure"
    waiting = queue.submit(home, recipe("lost-again"))
    on_cpu = ended(home, queue.submit(home, recipe("lost-cpu", hardware={"device": "cpu"})))
    assert (look(home, waiting).state, on_cpu.slot) == ("queued", "cpu")
    told = {each["subject"]: each for each in json.loads(call("doctor", "--json", home=home.root).stdout)}
    assert told["gpu:0"]["level"] == "warn"
    assert f"lost by run #{lost.id}: CUDA error: unspecified launch failure" in told["gpu:0"]["found"]
    mark = lost_gpus.mark_of(home, "gpu:0")
    assert str(mark) in told["gpu:0"]["remedy"]
    mark.unlink()
    queue.advance(home)
    assert ended(home, waiting).slot == "gpu:0"


def test_slots_that_share_the_lost_gpu_are_left_out_too(home: Home) -> None:
    lost_gpus.leave_out(home, "gpu:0+1", "lost by run #1")
    left = {slot: lost_gpus.is_left_out(home, slot) for slot in ("gpu:0", "gpu:1", "gpu:2+1", "gpu:2", "cpu", "cpu:1")}
    assert left == {"gpu:0": True, "gpu:1": True, "gpu:2+1": True, "gpu:2": False, "cpu": False, "cpu:1": False}
    assert lost_gpus.mark_of(home, "gpu:0+1").stat().st_mode & 0o777 == 0o600


def test_a_run_that_is_not_a_number_keeps_its_last_good_checkpoint(home: Home, tmp_path: Path) -> None:
    """The whole way: shown as it is in the store, stopped by the rule, never best, and the cause in words."""
    given = parse(
        {
            "name": "nan",
            "task": "sentiment",
            "data": str(write_jsonl(tmp_path / "rows.jsonl", toy_rows(40))),
            "backbone": str(tiny_backbone(tmp_path / "backbone")),
            "strategy": "full",
            "training": {"batch_size": 8, "epochs": 9},
            "evaluation": {"every": 1},
            "checkpoint": {"every": 1},
            "hardware": {"device": "cpu", "threads": 1},
        }
    )
    run = ended(home, queue.submit(home, given))
    assert (run.state, run.reason) == ("failed", "nan")
    assert "no finite loss and gradient in 5 updates" in str(run.error)
    with open_store(home.store) as store:
        steps, losses = points.curve(store, run.id, "train/loss")
        _, told = points.curve(store, run.id, "eval/loss")
        kept = max(each.step for each in checkpoints.listing(store, run.id) if each.kind == "state")
        warned = [event.text for event in events.listing(store, run.id, kind="warning")]
    assert steps == list(range(1, run.step + 1))
    assert losses[-5:] == [None] * 5
    assert told[-1] is None
    assert (run.best_value, run.best_step) == (None, None)
    assert not list((home.run_folder(run.uid) / "models").glob("*"))
    assert kept == run.step - 5
    assert verify(max((home.run_folder(run.uid) / "checkpoints").glob("step-*")))
    assert any("the last good one is kept" in text for text in warned)
    shown = call("show", run.id, home=home.root).stdout
    assert "failed: nan" in shown
    assert "last words of its log" in shown
