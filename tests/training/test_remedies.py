"""Every remedy at once: a run that is stopped goes on to the bit, and two processes that train stay equal.

Run by torchrun with a folder, it trains there and writes what this process has at the end.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.making import tiny_backbone, toy_rows, write_jsonl
from tests.training.support import Told, recipe_of, run_of
from workbench.recipe import Recipe
from workbench.training import loop
from workbench.training.events import Evaluated, Event, Logged, Noted
from workbench.training.job import Job
from workbench.training.loop import Control

ROOT = Path(__file__).resolve().parents[2]
REMEDIES = {
    "rdrop": 1.0,
    "mixup": 0.4,
    "noise": 5.0,
    "average": 0.9,
    "class_weights": "balanced",
    "activation_checkpointing": True,
    "label_smoothing": 0.1,
    "schedule": "wsd",
    "accumulation": 2,
}
FILES = ("model.safetensors", "optimiser.safetensors", "random.safetensors", "average.safetensors")


def remedied(backbone: Path, rows: Path, strategy: Any) -> Recipe:
    training = {"epochs": 3, "dropout": 0.2, "batch_size": 4, **REMEDIES}
    return recipe_of(backbone, rows, strategy=strategy, training=training, evaluation={"every": 6})


def numbers(*runs: Told) -> list[tuple[int, dict[str, float]]]:
    """Return the numbers of every update and evaluation, but for the speed."""
    events = [event for told in runs for event in told.events if isinstance(event, Logged | Evaluated)]
    return [
        (event.step, {key: value for key, value in event.values.items() if key != "train/examples_per_second"})
        for event in events
    ]


@pytest.mark.parametrize("strategy", [{"name": "gradual", "unfrozen_by": 0.5}, {"name": "lora", "rank": 2}])
def test_a_stopped_run_with_every_remedy_goes_on_as_if_it_had_not_been(
    backbone: Path, tmp_path: Path, strategy: dict[str, Any]
) -> None:
    made = remedied(backbone, write_jsonl(tmp_path / "rows.jsonl", toy_rows(80)), strategy)

    def stop(event: Event, control: Control) -> None:
        if isinstance(event, Logged) and event.step == 13:
            control.stop.set()

    for name in ("straight", "broken"):
        (tmp_path / name).mkdir()
    straight = run_of(made, tmp_path / "straight")
    first = run_of(made, tmp_path / "broken", stop)
    second = run_of(made, tmp_path / "broken")
    assert [note.text for note in second.all(Noted) if note.kind == "resume"] == ["resumed after update 13 of 27"]
    assert numbers(first, second) == numbers(straight)
    for file in FILES:
        last = f"checkpoints/step-00000027/{file}"
        assert (tmp_path / "straight" / last).read_bytes() == (tmp_path / "broken" / last).read_bytes()


def test_two_processes_with_every_remedy_stay_equal(tmp_path: Path) -> None:
    tiny_backbone(tmp_path / "bert")
    write_jsonl(tmp_path / "rows.jsonl", toy_rows(80))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    ended = subprocess.run(
        [*command, "-m", "tests.training.test_remedies", str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    first, second = ((tmp_path / f"ended-{rank}").read_text("utf-8").split() for rank in (0, 1))
    assert first == second
    assert first[0] == "27"


def main(folder: Path) -> None:
    """Train with every remedy, and write the number of updates and a hash of weights and averages."""
    jobs: list[Job] = []
    build = loop.build
    loop.build = lambda *inputs: jobs.append(build(*inputs)) or jobs[-1]  # type: ignore[func-returns-value]
    (folder / "run").mkdir(exist_ok=True)
    made = remedied(folder / "bert", folder / "rows.jsonl", {"name": "gradual", "unfrozen_by": 0.5})
    told = run_of(made, folder / "run")
    tensors = [*jobs[0].model.state_dict().values(), *jobs[0].average.weights.values()]
    digest = hashlib.sha256(b"".join(each.numpy().tobytes() for each in tensors)).hexdigest()
    (folder / f"ended-{os.environ['RANK']}").write_text(f"{told.all(Logged)[-1].step} {digest}", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
