"""Kill workers with SIGKILL at random moments, resume them, and hold the end against a run that never stopped.

Equal means bit for bit: weights, optimiser, random state, progress, every logged number, the published model and the
stored predictions. Attempts are forked from a process that has imported torch, so that a kill costs about a second.

    python -m tests.faults.kills [--kills 20] [--seed 1] [--threads 1] [--failpoints]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from store import runs
from store.connection import open_store, prepare
from workbench.data.locating import STARTER_FOLDER
from workbench.paths import Home
from workbench.recipe import parse
from workbench.supervision import queue

STRATEGIES = ("full", "gradual", "scratch")
FAILPOINTS = (
    *("update.forward", "update.backward", "update.step", "update.done"),
    *("evaluate.begin", "evaluate.done", "checkpoint.saved"),
    *("publish.begin", "publish.written", "publish.hashed", "publish.before_rename", "publish.after_rename"),
    "publish.pruned",
)
VISITS = (1, 2, 5)
FROM_LOG = ("train/loss", "train/grad_norm", "train/rate")


@dataclass(frozen=True)
class Trial:
    """One run and what was done to it."""

    strategy: str
    home: Home
    run_id: int
    folder: Path


def make(root: Path, strategy: str, threads: int) -> Trial:
    """Queue a small run in a home of its own without starting it."""
    root.mkdir(parents=True)
    for split, count in (("train", 120), ("validation", 32)):
        lines = (STARTER_FOLDER / "sentiment" / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()[:count]
        (root / f"{split}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    home = Home(root / "home").create()
    prepare(home.store)
    recipe = parse(
        {
            "task": "sentiment",
            "data": {"train": str(root / "train.jsonl"), "validation": str(root / "validation.jsonl")},
            "backbone": "size:tiny",
            "strategy": strategy,
            "training": {"epochs": 3, "batch_size": 8, "accumulation": 2, "max_length": 32},
            "evaluation": {"every": 3},
            "checkpoint": {"every": 2},
            "hardware": {"device": "cpu", "threads": threads},
        }
    )
    os.environ["WORKBENCH_SLOTS"] = "none"
    run = queue.submit(home, recipe)
    return Trial(strategy, home, run.id, home.run_folder(run.uid))


def attempt(trial: Trial, *, kill_after: float | None = None, failpoint: str = "") -> int:
    """Run one attempt in a forked worker, killed after some seconds or at a failpoint; return its exit status."""
    with open_store(trial.home.store) as store:
        run = runs.get(store, trial.run_id)
        assert run is not None
        if run.state != "queued":
            assert runs.move(store, trial.run_id, "queued", since=(run.state,))
        number = run.attempt + 1
        assert runs.start(store, trial.run_id, number, "cpu")
    child = os.fork()
    if child == 0:
        _become_worker(trial.folder, number, failpoint)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _become_worker(folder: Path, number: int, failpoint: str) -> None:
    from workbench.training.worker import carry_out

    log = os.open(folder / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if failpoint:
        os.environ["WORKBENCH_FAILPOINT"] = failpoint
    try:
        os._exit(carry_out(folder, number))
    finally:
        os._exit(70)


def fingerprint(trial: Trial) -> dict[str, Any]:
    """Return all that must be equal to the last bit, each part by its name."""
    last = max((trial.folder / "checkpoints").glob("step-*"))
    model = max((trial.folder / "models").glob("step-*"))
    state = json.loads((last / "state.json").read_text())
    state.pop("seconds")
    files = {"model.safetensors", "optimiser.safetensors", "random.safetensors"}
    parts: dict[str, Any] = {name: _sha(last / name) for name in files}
    parts |= {"state": state, "checkpoint": last.name, "published": (model.name, _sha(model / "model.safetensors"))}
    with open_store(trial.home.store) as store:
        logged = store.query(
            """SELECT name, step, value FROM point JOIN metric ON metric.id=metric_id
                WHERE run_id=? AND name<>'train/examples_per_second' ORDER BY name, step""",
            (trial.run_id,),
        )
        answers = store.query(
            "SELECT idx, pred, score, loss, step FROM prediction WHERE run_id=? ORDER BY idx", (trial.run_id,)
        )
        inexact = store.query(
            "SELECT text FROM event WHERE run_id=? AND kind='warning' AND text LIKE '%not exact%'", (trial.run_id,)
        )
    parts["logged"] = [(name, step, None if value is None else value.hex()) for name, step, value in logged]
    parts["predictions"] = [tuple(row) for row in answers]
    parts["resumes told as inexact"] = [row[0] for row in inexact]
    return parts


def differing(reference: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """Return the names of the parts that differ."""
    return [name for name in reference if reference[name] != found[name]]


def warm_up() -> None:
    """Import what workers need, and compute nothing: forked children must not inherit a thread pool."""
    import accelerate  # noqa: F401
    import datasets  # noqa: F401
    import sklearn.metrics  # noqa: F401
    import transformers.models.bert.modeling_bert  # noqa: F401
    from transformers import AutoModelForSequenceClassification, AutoTokenizer  # noqa: F401


def storm(root: Path, kills: int, seed: int, threads: int) -> list[str]:
    """Kill and resume until `kills` workers died; return what differed."""
    chance = random.Random(seed)
    references, faults, done, round_number = {}, [], 0, 0
    for strategy in STRATEGIES:
        trial = make(root / f"reference-{strategy}", strategy, threads)
        began = time.monotonic()
        assert attempt(trial) == 0, (trial.folder / "log.txt").read_text()
        references[strategy] = (fingerprint(trial), time.monotonic() - began)
    while done < kills:
        for strategy in STRATEGIES:
            round_number += 1
            reference, seconds = references[strategy]
            trial = make(root / f"trial-{round_number}", strategy, threads)
            for _ in range(max(1, -(-kills // 6))):
                if done >= kills or attempt(trial, kill_after=chance.uniform(0.05, seconds)) != -signal.SIGKILL:
                    break
                done += 1
            faults += _finish(trial, reference)
            shutil.rmtree(trial.home.root.parent)
    print(f"{done} kills in {round_number} runs, {threads} threads: {len(faults)} parts differ")
    return faults


def every_failpoint(root: Path, threads: int) -> list[str]:
    """Kill at each failpoint, at its first, second and fifth visit; return what differed."""
    trial = make(root / "reference", "gradual", threads)
    assert attempt(trial) == 0, (trial.folder / "log.txt").read_text()
    reference, faults, done = fingerprint(trial), [], 0
    for place in FAILPOINTS:
        for visit in VISITS:
            trial = make(root / f"{place}-{visit}", "gradual", threads)
            done += attempt(trial, failpoint=f"{place}:{visit}") == -signal.SIGKILL
            faults += _finish(trial, reference)
    print(f"{done} kills at {len(FAILPOINTS)} failpoints: {len(faults)} parts differ")
    return faults


def _finish(trial: Trial, reference: dict[str, Any]) -> list[str]:
    code = attempt(trial) if _state(trial) != "finished" else 0
    if code:
        return [f"{trial.strategy}: exit {code}: {(trial.folder / 'log.txt').read_text()[-500:]}"]
    return [f"{trial.strategy}: {part}" for part in differing(reference, fingerprint(trial))]


def _state(trial: Trial) -> str:
    with open_store(trial.home.store) as store:
        run = runs.get(store, trial.run_id)
    assert run is not None
    return run.state


def _sha(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--failpoints", action="store_true")
    options = parser.parse_args()
    os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    warm_up()
    root = Path(tempfile.mkdtemp(prefix="kills-"))
    try:
        if options.failpoints:
            faults = every_failpoint(root, options.threads)
        else:
            faults = storm(root, options.kills, options.seed, options.threads)
    finally:
        shutil.rmtree(root)
    print("\n".join(faults))
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
