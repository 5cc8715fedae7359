"""A short drain with every test run; long ones by `python -m tests.faults.drain --runs N`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.drain import drain


def test_queued_runs_drain_with_nobody_looking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WORKBENCH_WORKER_MODULE", "WORKBENCH_SLOTS"):
        monkeypatch.setenv(name, "")
    outcome = drain(tmp_path, 20)
    assert outcome.states == {"finished": 18, "failed": 2}
    assert outcome.in_order
