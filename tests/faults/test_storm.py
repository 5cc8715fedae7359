"""A short storm with every test run; long ones by `python -m tests.faults.storm --runs N`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.storm import storm


def test_no_promise_breaks_in_a_storm_of_kills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WORKBENCH_WORKER_MODULE", "WORKBENCH_SLOTS"):
        monkeypatch.setenv(name, "")
    outcome = storm(tmp_path, 40)
    assert outcome.violations == []
    assert outcome.states["finished"] < 40
    assert min(outcome.kills[target] for target in ("worker", "shepherd")) > 0
