"""Kill workers with SIGKILL at random moments, resume them, and hold the end against a run that never stopped.

Equal means bit for bit: weights, optimiser, random state, averages, progress, every logged number, the published model
and the stored predictions. Attempts are forked from a process that has imported torch, so that a kill costs about a
second. The same runs are killed at every failpoint, and asked to pause, stop, save and evaluate at random moments.

    python -m tests.faults.kills [--kills 20] [--asked 20] [--failpoints] [--recipes full,tokens] [--seed 1]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import workbench
from store import commands, runs
from store.connection import open_store, prepare
from workbench.data.locating import STARTER_FOLDER
from workbench.paths import Home
from workbench.recipe import parse
from workbench.supervision import queue
from workbench.training import failpoints
from workbench.training.control import VERBS
from workbench.training.publish import newest_readable

TINY = "starter:tiny"
HARD = {
    "epochs": 3, "batch_size": 8, "accumulation": 2, "max_length": 32, "average": 0.9, "rdrop": 1.0, "noise": 5.0,
}  # fmt: skip
RECIPES: dict[str, dict[str, Any]] = {
    "full": {},
    "gradual": {"strategy": "gradual"},
    "scratch": {"strategy": "scratch"},
    "lora": {"strategy": {"name": "lora", "rank": 2}, "backbone": TINY},
    "head": {"strategy": "head", "backbone": TINY},
    "distil": {"task": "masked-pretraining", "strategy": {"name": "distil", "teacher": TINY}, "data": "stories"},
    "hard": {
        "strategy": {"name": "gradual", "by": "stalls"},
        "training": HARD,
        "augment": {"delete": 0.1, "swap": 0.1, "crop": 0.8},
        "evaluation": {"every": 2, "patience": 4},
        "checkpoint": {"every": 2, "keep": 1},
    },
    "tokens": {"task": "named-entities", "strategy": "layer-decay", "backbone": TINY, "data": "entities"},
    "generation": {
        "task": {"name": "translation", "source": "en", "target": "de"},
        "data": "translation",
        "training": {"epochs": 2, "batch_size": 8, "accumulation": 2, "max_length": 16},
        "evaluation": {"every": 7},
    },
}
"""What is laid over a plain recipe; `data` is a starter set. `hard` has all that may break it, and one checkpoint."""

ROWS = {"train": 120, "validation": 32}
VISITS = (1, 2, 5, 0)
FAILPOINT = re.compile(r'failpoint\("([\w.]+)"\)')


@dataclass(frozen=True)
class Trial:
    """One run and what was done to it."""

    recipe: str
    home: Home
    run_id: int
    folder: Path


@dataclass(frozen=True)
class Reference:
    """An unharmed run: what it came to, the seconds that it took, and how often it passed each failpoint."""

    parts: dict[str, Any]
    seconds: float
    visits: dict[str, int]


def make(root: Path, recipe: str, threads: int) -> Trial:
    """Queue a small run of one of RECIPES in a home of its own without starting it."""
    root.mkdir(parents=True)
    tables = dict(RECIPES[recipe])
    starter = STARTER_FOLDER / tables.pop("data", "sentiment")
    places = {}
    for split, count in ROWS.items():
        (source,) = starter.glob(f"{split}.*")
        lines = source.read_text(encoding="utf-8").splitlines()[:count]
        places[split] = root / f"{split}{source.suffix}"
        places[split].write_text("\n".join(lines), encoding="utf-8")
    home = Home(root / "home").create()
    prepare(home.store)
    plain = {
        "task": "sentiment",
        "data": {split: str(place) for split, place in places.items()},
        "backbone": "size:tiny",
        "strategy": "full",
        "training": {"epochs": 3, "batch_size": 8, "accumulation": 2, "max_length": 32},
        "evaluation": {"every": 3},
        "checkpoint": {"every": 2},
        "hardware": {"device": "cpu", "threads": threads},
    }
    os.environ["WORKBENCH_SLOTS"] = "none"
    run = queue.submit(home, parse(plain | tables))
    return Trial(recipe, home, run.id, home.run_folder(run.uid))


def attempt(
    trial: Trial, *, kill_after: float | None = None, failpoint: str = "", asked: tuple[float, str] | None = None
) -> int:
    """Run one attempt in a forked worker; return its exit status.

    It is killed after some seconds or at a failpoint, or `asked` for something: after how many seconds, and what.
    """
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
    if asked is not None:
        time.sleep(asked[0])
        with open_store(trial.home.store) as store:
            commands.ask(store, trial.run_id, number, asked[1])
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _become_worker(folder: Path, number: int, failpoint: str) -> None:
    from workbench.training.worker import carry_out

    log = os.open(folder / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    # A name that no place has lets the places be counted.
    os.environ["WORKBENCH_FAILPOINT"] = failpoint or "none:0"
    try:
        code = carry_out(folder, number)
        (folder / "visits.json").write_text(json.dumps(failpoints._visits))
        os._exit(code)
    finally:
        os._exit(70)


def fingerprint(trial: Trial) -> dict[str, Any]:
    """Return all that must be equal to the last bit, each part by its name; a logged number by metric and update."""
    last = max((trial.folder / "checkpoints").glob("step-*"))
    model = max((trial.folder / "models").glob("step-*"))
    state = json.loads((last / "state.json").read_text())
    state.pop("seconds")
    parts: dict[str, Any] = {file.name: _sha(file) for file in last.glob("*.safetensors")}
    parts |= {"state": state, "checkpoint": last.name, "published": (model.name, _sha(model / "model.safetensors"))}
    with open_store(trial.home.store) as store:
        logged = store.query(
            """SELECT name, step, value FROM point JOIN metric ON metric.id=metric_id
                WHERE run_id=? AND name<>'train/examples_per_second'""",
            (trial.run_id,),
        )
        answers = store.query(
            "SELECT idx, pred, score, loss, step FROM prediction WHERE run_id=? ORDER BY idx", (trial.run_id,)
        )
        inexact = store.query(
            "SELECT text FROM event WHERE run_id=? AND kind='resume' AND level='warning'", (trial.run_id,)
        )
    parts |= {(name, step): None if value is None else value.hex() for name, step, value in logged}
    parts["predictions"] = [tuple(row) for row in answers]
    parts["resumes told as inexact"] = [row[0] for row in inexact]
    return parts


def differing(reference: dict[Any, Any], found: dict[Any, Any], *, asked: bool = False) -> list[str]:
    """Return the names of the parts that differ; where it was `asked`, more may have been evaluated."""
    more = [name for name in found.keys() - reference.keys() if not (asked and name[0].startswith("eval"))]
    return [str(name) for name in (*reference, *more) if reference.get(name) != found.get(name)]


def warm_up() -> None:
    """Import what workers need, and compute nothing: forked children must not inherit a thread pool."""
    import accelerate  # noqa: F401
    import datasets  # noqa: F401
    import peft  # noqa: F401
    import sklearn.metrics  # noqa: F401
    import transformers.models.bart.modeling_bart
    import transformers.models.bert.modeling_bert  # noqa: F401
    from transformers import (  # noqa: F401
        AutoModelForMaskedLM,
        AutoModelForSeq2SeqLM,
        AutoModelForSequenceClassification,
        AutoModelForTokenClassification,
        AutoTokenizer,
    )


def refer(root: Path, recipe: str, threads: int) -> Reference:
    """Carry out an unharmed run."""
    trial = make(root / f"reference-{recipe}", recipe, threads)
    began = time.monotonic()
    assert attempt(trial) == 0, (trial.folder / "log.txt").read_text()
    seconds = time.monotonic() - began
    return Reference(fingerprint(trial), seconds, json.loads((trial.folder / "visits.json").read_text()))


def storm(root: Path, kills: int, seed: int, threads: int, references: Mapping[str, Reference]) -> list[str]:
    """Kill and resume runs of these recipes until `kills` workers died; return what differed from the references."""
    chance, recipes = random.Random(seed), tuple(references)
    faults: list[str] = []
    done = round_number = 0
    while done < kills:
        for recipe in recipes if done < kills else ():
            round_number += 1
            reference = references[recipe]
            trial = make(root / f"trial-{round_number}", recipe, threads)
            for _ in range(max(1, -(-kills // (2 * len(recipes))))):
                after = chance.uniform(0.05, reference.seconds)
                if done >= kills or attempt(trial, kill_after=after) != -signal.SIGKILL:
                    break
                done += 1
                faults += _lacks_checkpoint(trial)
            faults += _finish(trial, reference)
            shutil.rmtree(trial.home.root.parent)
    print(f"{done} kills in {round_number} runs, {threads} threads: {len(faults)} parts differ", flush=True)
    return faults


def every_failpoint(
    root: Path, threads: int, recipe: str, reference: Reference, visits: Sequence[int] = VISITS
) -> list[str]:
    """Kill at each failpoint of training, at these visits, of which 0 is the last one; return what differed."""
    names, done = names_of_failpoints(), 0
    faults = [f"{name}: never passed" for name in names if not reference.visits.get(name)]
    for place in names:
        last = reference.visits.get(place, 0)
        for visit in sorted({visit or last for visit in visits if visit <= last}):
            trial = make(root / f"{place}-{visit}", recipe, threads)
            code = attempt(trial, failpoint=f"{place}:{visit}")
            done += code == -signal.SIGKILL
            faults += [] if code == -signal.SIGKILL else [f"{place}:{visit}: was not killed"]
            faults += _lacks_checkpoint(trial)
            faults += _finish(trial, reference)
            shutil.rmtree(trial.home.root.parent)
    print(f"{done} kills at {len(names)} failpoints, {threads} threads: {len(faults)} parts differ", flush=True)
    return faults


def names_of_failpoints() -> list[str]:
    """Return the names of all places in the code of training where a test may pull the plug."""
    files = sorted((Path(workbench.__file__).parent / "training").rglob("*.py"))
    return sorted(name for file in files for name in FAILPOINT.findall(file.read_text(encoding="utf-8")))


def ask_at_random(root: Path, asked: int, seed: int, threads: int, references: Mapping[str, Reference]) -> list[str]:
    """Ask runs to pause, stop, save and evaluate until it was done `asked` times; return what differed or came late."""
    chance, recipes = random.Random(seed), tuple(references)
    faults: list[str] = []
    done = round_number = 0
    while done < asked:
        for recipe in recipes if done < asked else ():
            round_number += 1
            trial = make(root / f"asked-{round_number}", recipe, threads)
            while _state(trial) != "finished":
                moment = chance.uniform(0.05, references[recipe].seconds), chance.choice(VERBS)
                if code := attempt(trial, asked=moment):
                    return [*faults, f"{recipe}: exit {code}: {(trial.folder / 'log.txt').read_text()[-500:]}"]
            told = _commands(trial)
            done += sum(step is not None for _, _, step, _ in told)
            faults += [f"{recipe}: {each}" for each in told if not _is_sound(*each)]
            found = fingerprint(trial)
            apart = differing(references[recipe].parts, found, asked=True)
            faults += [f"{recipe}: {part}" for part in apart]
            shutil.rmtree(trial.home.root.parent)
    print(f"{done} answers in {round_number} runs, {threads} threads: {len(faults)} parts differ or late", flush=True)
    return faults


def _commands(trial: Trial) -> list[tuple[str, int | None, int | None, str | None]]:
    """Return what was asked of a run: verb, accepted at, done at, answer."""
    with open_store(trial.home.store) as store:
        rows = store.query("SELECT verb, accepted_step, done_step, answer FROM command ORDER BY id")
    return [tuple(row) for row in rows]


def _is_sound(verb: str, accepted: int | None, done: int | None, answer: str | None) -> bool:
    """Whether a command was done within an update of being accepted, or was said not to be done."""
    if done is None:
        return (answer is None and accepted is None) or (answer or "").startswith("not done: the run ")
    return accepted is not None and 0 <= done - accepted <= 1 and f"after update {done} of " in (answer or verb)


def _lacks_checkpoint(trial: Trial) -> list[str]:
    """Return that no checkpoint of a run verifies, though one was published."""
    parent, journal = trial.folder / "checkpoints", trial.folder / "journal.jsonl"
    published = any(parent.glob("step-*")) or (journal.exists() and '"Saved", 2, "state"' in journal.read_text())
    return [f"{trial.recipe}: no checkpoint verifies"] if published and newest_readable(parent) is None else []


def _finish(trial: Trial, reference: Reference) -> list[str]:
    code = attempt(trial) if _state(trial) != "finished" else 0
    if code:
        return [f"{trial.recipe}: exit {code}: {(trial.folder / 'log.txt').read_text()[-500:]}"]
    return [f"{trial.recipe}: {part}" for part in differing(reference.parts, fingerprint(trial))]


def _state(trial: Trial) -> str:
    with open_store(trial.home.store) as store:
        run = runs.get(store, trial.run_id)
    assert run is not None
    return run.state


def _sha(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--asked", type=int, default=0)
    parser.add_argument("--failpoints", action="store_true", help="of the first of the recipes")
    parser.add_argument("--visits", default=",".join(map(str, VISITS)), help="of each failpoint; 0 is the last")
    parser.add_argument("--recipes", default=",".join(RECIPES))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    warm_up()
    faults: list[str] = []
    root = Path(tempfile.mkdtemp(prefix="kills-"))
    try:
        references = {recipe: refer(root, recipe, options.threads) for recipe in options.recipes.split(",")}
        if options.kills:
            faults += storm(root / "kills", options.kills, options.seed, options.threads, references)
        if options.failpoints:
            recipe = next(iter(references))
            visits = [int(visit) for visit in options.visits.split(",")]
            faults += every_failpoint(root / "failpoints", options.threads, recipe, references[recipe], visits)
        if options.asked:
            faults += ask_at_random(root / "asked", options.asked, options.seed, options.threads, references)
    finally:
        shutil.rmtree(root)
    print("\n".join(faults))
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
