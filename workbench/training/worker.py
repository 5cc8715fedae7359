"""The process that trains one run, started by its shepherd with the run's folder, the attempt and the claim."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import traceback
from pathlib import Path
from types import FrameType

from store import runs
from store.connection import open_store
from workbench import recipe
from workbench.box.full_disk import is_full
from workbench.errors import WorkbenchError
from workbench.paths import Home
from workbench.redaction import redact
from workbench.shortage import REASONS, words_of
from workbench.supervision.folders import CARD
from workbench.supervision.lost_gpus import leave_out
from workbench.supervision.worker_side import enter
from workbench.training.control import Control
from workbench.training.events import Noted, Started
from workbench.training.loop import NotFinite, train
from workbench.training.reporter import Reporter
from workbench.training.room import FolderGone, NoRoom

DEAD_CONTEXT = "CUDA error:"
"""How words begin that torch has from the driver; after most of them no call of this process to the GPU succeeds."""
LOST = (
    *("unknown error", "unspecified launch failure", "GPU is lost", "uncorrectable", "hardware stack error"),
    *("no CUDA-capable device", "busy or unavailable", "device not ready", "system not yet initialized"),
)
"""What is said of a GPU itself; a failed assertion or an address of nowhere is the fault of code or data."""

GPU_MEMORY = ("CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED")
"""What is said where GPU memory runs out outside of torch's own allocator."""


def main(arguments: list[str]) -> None:
    """Take the run's life, then train; the exit code is 0 where it ended as it should, 1 where it failed."""
    folder, attempt, claim = Path(arguments[0]), int(arguments[1]), int(arguments[2])
    os.umask(0o077)
    enter(folder, attempt, claim)
    sys.exit(carry_out(folder, attempt))


def carry_out(folder: Path, attempt: int) -> int:
    """Train the run in `folder`, whose life this process holds, and record how it ended; return the exit code."""
    home, control = Home(folder.parent.parent), Control()
    run_id = _number(home, folder)
    reporter = Reporter(home.store, folder, run_id, attempt, control)
    _hear_signals(reporter, control)
    reporter.start()
    try:
        state, reason = _train(folder, home, reporter, control)
        error = None
    except BaseException as problem:
        print(redact(traceback.format_exc()), file=sys.stderr)
        state, reason = "failed", reason_of(problem)
        words = words_of(reason, problem) if reason in REASONS else str(problem).strip()
        error = redact(words) or type(problem).__name__
    if reason == "gpu_lost":
        leave_out(home, os.environ.get("WORKBENCH_SLOT", ""), f"lost by run #{run_id}: {error}")
    reporter.close(state, reason, error)
    if error and error.startswith(DEAD_CONTEXT):
        # Whoever lets go of a dead device in good order may wait for it for ever.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(1)
    return 1 if state == "failed" else 0


def _number(home: Home, folder: Path) -> int:
    """Return the run's number as its card has it, or the store where that cannot be read."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return int(json.loads((folder / CARD).read_text(encoding="utf-8"))["id"])
    with open_store(home.store) as store:
        run = runs.find(store, folder.name)
        assert run is not None
        return run.id


def reason_of(problem: BaseException) -> str:
    """Return the code of why a run failed."""
    import torch

    words = str(problem)
    if isinstance(problem, NotFinite):
        return "nan"
    if isinstance(problem, torch.OutOfMemoryError) or any(each in words for each in GPU_MEMORY):
        return "gpu_oom"
    if words.startswith(DEAD_CONTEXT) and any(sign in words for sign in LOST):
        return "gpu_lost"
    if isinstance(problem, MemoryError) or "can't allocate memory" in words:
        return "host_oom"
    if isinstance(problem, FolderGone):
        return "folder_gone"
    if isinstance(problem, NoRoom) or is_full(problem):
        return "disk_full"
    return "data" if isinstance(problem, WorkbenchError) else "code"


def _train(folder: Path, home: Home, reporter: Reporter, control: Control) -> tuple[str, str | None]:
    """Run the loop; return the state and the reason with which it ended."""
    file = folder / "recipe.toml"
    plan = recipe.loads(file.read_text(encoding="utf-8"), str(file))
    # Both are read now: a setting that this version added has its default on both sides.
    if reporter.recipe is not None and plan.hash() != recipe.loads(reporter.recipe).hash():
        raise WorkbenchError(
            "the recipe is not the one that this run was made with",
            where=str(file),
            hint="Put it back (workbench show RUN --recipe prints it), or start a new run with it.",
        )
    ended: tuple[str, str | None] = ("finished", None)
    for event in train(plan, folder, home.cache, control):
        if isinstance(event, Started):
            reporter.running()
        if isinstance(event, Noted) and event.kind in ("stop", "pause"):
            ended = ("stopped" if event.kind == "stop" else "paused", "user")
        if isinstance(event, Noted) and event.kind == "early_stop":
            ended = ("finished", "early_stop")
        reporter.put(event)
    return ended


def _hear_signals(reporter: Reporter, control: Control) -> None:
    """SIGTERM stops after this update, a second one at once; SIGUSR1 says that a command waits."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        if control.stop.is_set():
            os._exit(128 + signal.SIGTERM)
        control.stop.set()

    def ring(_signal: int, _frame: FrameType | None) -> None:
        reporter.ring()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGUSR1, ring)


if __name__ == "__main__":
    main(sys.argv[1:])
