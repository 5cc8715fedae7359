"""Fill a worker's GPU at each place, then hold what is left, and the same run in smaller batches, against a whole run.

What was saved before must be whole, the run must go on to the same end where there is room again, and in half the batch
its losses must be the same to six digits. Attempts are forked, as in `tests.faults.kills`.

    python -m tests.faults.memory
"""

from __future__ import annotations

import math
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from store import points, runs
from store.connection import open_store
from store.runs import Run
from tests.faults import kills
from workbench.recipe import Recipe, loads
from workbench.supervision import queue, retrying
from workbench.training.publish import verify

PLACES = {
    "update.forward": (12, ""),
    "update.backward": (6, ""),
    "update.step": (6, ""),
    "evaluate.begin": (3, " in an evaluation"),
}
"""Places with a visit after the first checkpoint, and what the error says of where it was."""

ALIKE = 1e-6


def every_place(root: Path) -> list[str]:
    """Let memory run out once at each place; return what is not as it should be."""
    trial = kills.make(root / "whole", "full", threads=1)
    assert kills.attempt(trial) == 0, (trial.folder / "log.txt").read_text()
    whole, faults = kills.fingerprint(trial), list[str]()
    for place, (visit, where) in PLACES.items():
        trial = kills.make(root / place, "full", threads=1)
        code = kills.attempt(trial, failpoint=f"{place}:{visit}:oom")
        found = [*_faults_of_ending(code, run_of(trial), where), *_faults_of_checkpoints(trial)]
        code = kills.attempt(trial)
        found += kills.differing(whole, kills.fingerprint(trial)) if code == 0 else [f"resumed with exit code {code}"]
        faults += [f"{place}: {fault}" for fault in found]
    return faults


def smaller_batches(root: Path) -> list[str]:
    """Train once with the batch of the recipe and once as a retry would; return where their losses differ."""
    trial = kills.make(root / "batches", "full", threads=1)
    recipe = loads(run_of(trial).recipe)
    large = _trial(trial, _without_dropout(recipe))
    assert kills.attempt(large) == 0, (large.folder / "log.txt").read_text()
    with open_store(trial.home.store) as store:
        assert runs.move(store, large.run_id, "failed", since=("finished",), reason="gpu_oom")
    again = retrying.retry(trial.home, run_of(large))
    small = kills.Trial("full", trial.home, again.id, trial.home.run_folder(again.uid))
    assert kills.attempt(small) == 0, (small.folder / "log.txt").read_text()
    pairs = list(zip(_losses(large), _losses(small), strict=True))
    faults = [f"loss {one} and {other}" for one, other in pairs if not math.isclose(one, other, rel_tol=ALIKE)]
    training = loads(again.recipe).training
    if (training.batch_size, training.accumulation) != (4, 4) or len(pairs) < 20:
        faults.append(f"{len(pairs)} updates of {training.accumulation} batches of {training.batch_size}")
    return faults


def run_of(trial: kills.Trial) -> Run:
    """Return the row of a trial's run."""
    with open_store(trial.home.store) as store:
        run = runs.get(store, trial.run_id)
    assert run is not None
    return run


def _faults_of_ending(code: int, run: Run, where: str) -> list[str]:
    wanted = (1, "failed", "gpu_oom", f"out of GPU memory{where}: 2.50 GiB needed, 1.25 GiB of 7.79 GiB free")
    return [] if (code, run.state, run.reason, run.error) == wanted else [f"ended as {code} {run.state}: {run.error}"]


def _faults_of_checkpoints(trial: kills.Trial) -> list[str]:
    found = sorted((trial.folder / "checkpoints").iterdir())
    broken = [f"{checkpoint.name} is broken" for checkpoint in found if not verify(checkpoint)]
    return broken if found else ["there is no checkpoint"]


def _without_dropout(recipe: Recipe) -> Recipe:
    """Draws of dropout hang on the shape of a batch."""
    training: Any = recipe.training.model_copy(update={"dropout": 0.0})
    return recipe.model_copy(update={"training": training})


def _trial(beside: kills.Trial, recipe: Recipe) -> kills.Trial:
    run = queue.submit(beside.home, recipe)
    return kills.Trial("full", beside.home, run.id, beside.home.run_folder(run.uid))


def _losses(trial: kills.Trial) -> list[float]:
    with open_store(trial.home.store) as store:
        values = points.curve(store, trial.run_id, "train/loss")[1]
    return [math.nan if value is None else value for value in values]


def main() -> None:
    os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "WORKBENCH_SLOTS": "none"}
    kills.warm_up()
    root = Path(tempfile.mkdtemp(prefix="memory-"))
    try:
        faults = every_place(root) + smaller_batches(root)
    finally:
        shutil.rmtree(root)
    print(
        f"{len(PLACES)} places at which memory ran out, and half the batch trained: {len(faults)} faults",
        *faults,
        sep="\n",
    )
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
