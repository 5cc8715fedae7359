"""A worker that dies as the first word of its run's name says, in its own process and under its own shepherd.

`memory` is killed while the kernel's counter of such kills grows, `lost` trains on a GPU that falls off the bus,
`nan` at a learning rate that no recipe may have; others train as they should.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workbench.recipe import Recipe
from workbench.supervision import worker_side
from workbench.training import worker
from workbench.training.events import Event, Noted

LOST = "CUDA error: unspecified launch failure"


def main() -> None:
    folder, attempt, claim = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    manner = json.loads((folder / "run.json").read_text())["name"].split("-")[0]
    if manner == "memory":
        worker_side.enter(folder, attempt, claim)
        Path(os.environ["WORKBENCH_COUNTER"]).write_text("low 0\noom_kill 8\n")
        os.kill(os.getpid(), signal.SIGKILL)
    if manner == "lost":
        worker.train = lose  # type: ignore[assignment]
    if manner == "nan":
        worker.train = explode(worker.train)  # type: ignore[assignment]
    worker.main(sys.argv[1:])


def lose(*given: Any) -> Iterator[Event]:
    yield Noted(0, "start", "loading libraries, data and backbone")
    raise RuntimeError(LOST)


def explode(train: Any) -> Any:
    def trained(plan: Recipe, *given: Any) -> Iterator[Event]:
        training = plan.training.model_copy(update={"learning_rate": 1e30, "warmup": 0.0})
        yield from train(plan.model_copy(update={"training": training}), *given)

    return trained


if __name__ == "__main__":
    main()
