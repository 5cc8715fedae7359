"""A run says on how many of the GPUs that it sees it trains."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from workbench.training.job import unused_gpus


@pytest.mark.parametrize(
    ("kind", "seen", "processes", "notes"),
    [
        ("cuda", 2, 1, ["2 GPUs are visible; the run trains on 1 of them"]),
        ("cuda", 2, 2, []),
        ("cuda", 1, 1, []),
        ("cpu", 2, 1, []),
    ],
)
def test_gpus_that_no_process_trains_on_are_named(
    monkeypatch: pytest.MonkeyPatch, kind: str, seen: int, processes: int, notes: list[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: seen)
    accelerator: Any = SimpleNamespace(device=torch.device(kind), num_processes=processes)
    assert unused_gpus(accelerator) == notes
