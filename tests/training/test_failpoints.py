"""The plug that tests pull: at the visit that is named, in the way that is named, and nowhere else."""

from __future__ import annotations

import errno
import subprocess
import sys

import pytest

from workbench.training import failpoints
from workbench.training.failpoints import failpoint


@pytest.fixture(autouse=True)
def _unvisited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failpoints, "_visits", {})


def test_nothing_happens_unarmed_or_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not failpoint("there")
    monkeypatch.setenv("WORKBENCH_FAILPOINT", "there:1:nan")
    assert not failpoint("here")


@pytest.mark.parametrize(
    ("visit", "marks"), [("1", [True, False, False]), ("2", [False, True, False]), ("2+", [False, True, True])]
)
def test_the_visit_counts(visit: str, marks: list[bool], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_FAILPOINT", f"here:{visit}:nan")
    assert [failpoint("here") for _ in marks] == marks


def test_a_full_disk_is_the_error_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_FAILPOINT", "here:1:enospc")
    with pytest.raises(OSError, match="No space left") as raised:
        failpoint("here")
    assert raised.value.errno == errno.ENOSPC


def test_a_full_gpu_is_the_error_of_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setenv("WORKBENCH_FAILPOINT", "here:1:oom")
    with pytest.raises(torch.OutOfMemoryError, match="is free"):
        failpoint("here")


@pytest.mark.parametrize("armed", ["here", "here:1", "here:1:kill"])
def test_a_kill_leaves_no_time_for_anything(armed: str) -> None:
    code = "from workbench.training.failpoints import failpoint; failpoint('here'); print('alive')"
    ended = subprocess.run(
        [sys.executable, "-c", code], env={"WORKBENCH_FAILPOINT": armed}, capture_output=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (-9, b"")
