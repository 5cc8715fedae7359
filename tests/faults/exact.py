"""Stop or pause a run of every pair of task and strategy, resume it, and hold it against one that never stopped.

Equal means bit for bit: weights, optimiser, random state, averages, progress, published model, and every logged
number. Each pair has all that may break it at once, as far as it can have it: augmentation, batches by length,
accumulation, dropout, two passes, mixed rows, noise, class weights, averaged weights, early stopping. On its way the
broken run is asked for a checkpoint and an evaluation out of turn, which must change nothing.

    python -m tests.faults.exact [--seed 1] [--strategy NAME] [--task NAME]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.training import pairs
from tests.training.support import Told, run_of
from workbench.catalog import TASKS
from workbench.recipe import Recipe
from workbench.recipe.remedies import why_no_remedy
from workbench.training.control import Control
from workbench.training.events import Evaluated, Event, Logged

TRAINING = {
    "max_length": 48, "epochs": 3, "batch_size": 4, "accumulation": 2, "learning_rate": 1e-3, "dropout": 0.1,
    "average": 0.9,
}  # fmt: skip
REMEDIES = {"rdrop": 1.0, "mixup": 0.4, "noise": 5.0, "class_weights": "balanced"}
AUGMENT = {"delete": 0.1, "swap": 0.1, "crop": 0.8, "noise": 0.05}
UNFREEZING = ("share", "epochs", "steps", "stalls")


@dataclass(frozen=True)
class Broken:
    """How a run was broken: asked at one update for something out of turn, ended at another."""

    asked: int
    ended: int
    verb: str


def hardened(strategy: str, task: str, folder: Path, number: int) -> Recipe:
    """Return a recipe of a pair with all that it can have; `number` varies how layers are unfrozen."""
    plain, training = pairs.recipe_for(strategy, task, folder), dict(TRAINING)
    for setting, value in REMEDIES.items():
        if not why_no_remedy(task, plain.learns_by, plain.training.model_copy(update={setting: value}))[1]:
            training[setting] = value
    table = pairs.strategy_table(strategy, task, folder)
    if strategy == "gradual":
        table["by"] = UNFREEZING[number % len(UNFREEZING)]
    # What the frozen body of a head says is read once, where rows do not vary.
    augment = {
        kind: AUGMENT[kind] for kind in TASKS[task].augmented if kind in AUGMENT and strategy not in ("head", "distil")
    }
    return pairs.recipe_for(
        strategy, task, folder,
        strategy=table, training=training, augment=augment, evaluation={"every": 2, "patience": 2},
    )  # fmt: skip


def differing(recipe: Recipe, folder: Path, chance: random.Random) -> tuple[list[str], Broken]:
    """Carry a recipe out unbroken and broken; return the parts that differ, and how it was broken."""
    straight, torn = folder / "straight", folder / "torn"
    for place in (straight, torn):
        place.mkdir(parents=True)
    whole = run_of(recipe, straight)
    last = whole.all(Logged)[-1].step
    ended = chance.randint(1, last - 1)
    broken = Broken(chance.randint(1, ended), ended, chance.choice(("stop", "pause")))
    parts = [run_of(recipe, torn, _breaks(broken)), run_of(recipe, torn)]
    told = numbers(parts)
    wanted = numbers([whole])
    apart = [f"{kind} {step}" for (kind, step), values in wanted.items() if told.get((kind, step)) != values]
    extra = {("Evaluated", step) for step in (broken.asked, broken.ended)}
    apart += [f"{kind} {step} is too many" for kind, step in told.keys() - wanted.keys() - extra]
    theirs = fingerprint(torn)
    return [*apart, *(part for part, value in fingerprint(straight).items() if theirs.get(part) != value)], broken


def _breaks(broken: Broken) -> Callable[[Event, Control], None]:
    def breaks(event: Event, control: Control) -> None:
        if isinstance(event, Logged) and event.step == broken.asked:
            control.ask("checkpoint")
            control.ask("evaluate")
        if isinstance(event, Logged) and event.step == broken.ended:
            control.ask(broken.verb)

    return breaks


def numbers(parts: Iterable[Told]) -> dict[tuple[str, int], dict[str, str]]:
    """Return every logged number but the speed, to the last bit, by what told it and its update."""
    return {
        (type(event).__name__, event.step): {
            name: value.hex() for name, value in event.values.items() if name != "train/examples_per_second"
        }
        for told in parts
        for event in told.events
        if isinstance(event, Logged | Evaluated)
    }


def fingerprint(folder: Path) -> dict[str, Any]:
    """Return what the newest checkpoint and the published model hold, each part by its name."""
    last, model = (max((folder / kind).glob("step-*")) for kind in ("checkpoints", "models"))
    state = json.loads((last / "state.json").read_text(encoding="utf-8"))
    del state["seconds"]
    files = [*last.glob("*.safetensors"), model / "model.safetensors"]
    hashes = {f"{file.parent.name}/{file.name}": hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    return {"state": state, "checkpoint": last.name, "published": model.name, **hashes}


def every_pair(root: Path, chosen: Iterable[tuple[str, str]], seed: int) -> list[str]:
    """Hold each pair against an unbroken run of it; return what differs."""
    folder, faults, chance, done = pairs.make(root), [], random.Random(seed), 0
    for number, (strategy, task) in enumerate(chosen):
        place = root / f"{strategy}-{task}"
        apart, broken = differing(hardened(strategy, task, folder, number), place, chance)
        faults += [f"{strategy} × {task}, {broken}: {part}" for part in apart]
        shutil.rmtree(place)
        done += 1
    print(f"{done} pairs stopped or paused and resumed: {len(faults)} parts differ")
    return faults


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--strategy")
    parser.add_argument("--task")
    options = parser.parse_args()
    os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    chosen = [
        (strategy, task)
        for strategy, task in pairs.SENSIBLE
        if options.strategy in (None, strategy) and options.task in (None, task)
    ]
    root, began = Path(tempfile.mkdtemp(prefix="exact-")), time.monotonic()
    try:
        faults = every_pair(root, chosen, options.seed)
    finally:
        shutil.rmtree(root)
    print(f"{time.monotonic() - began:.0f} s", *faults, sep="\n")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
