"""A worker whose GPU is full: earlier checkpoints are whole, and smaller batches learn the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_out_of_memory_costs_nothing_that_was_saved() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "tests.faults.memory"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert told.returncode == 0, told.stdout + told.stderr
    assert told.stdout.startswith("4 places at which memory ran out")
