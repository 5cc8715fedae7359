"""At every update exactly those tensors change that the strategy's description says; the others stay, to the bit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.training import changing
from tests.training.changing import ARCHITECTURES, CASES, UPDATES
from workbench.strategies import STRATEGIES

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("changing")
    changing.prepare(made)
    return made


@pytest.mark.parametrize("kind", ARCHITECTURES)
@pytest.mark.parametrize("name", CASES)
def test_what_changes_is_what_the_strategy_says(name: str, kind: str, folder: Path) -> None:
    case, steps = CASES[name], []
    for step, job, before in changing.run(kind, case, folder):
        assert changing.changed(job, before) == changing.said(job, case, step), f"update {step}"
        steps.append(step)
    assert steps == list(range(UPDATES))


def test_every_strategy_is_held_to_its_description() -> None:
    assert {case.table["name"] for case in CASES.values()} >= set(STRATEGIES) - {"distil"}


def test_two_processes_change_the_same_tensors_in_the_same_way(tmp_path: Path) -> None:
    changing.prepare(tmp_path)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    ended = subprocess.run(
        [*command, "-m", "tests.training.changing", str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=540,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    first, second = (json.loads((tmp_path / f"seen-{rank}.json").read_text("utf-8")) for rank in (0, 1))
    assert len(first) == len(ARCHITECTURES) * len(CASES)
    assert first == second
    assert all(len(steps) == UPDATES for steps in first.values())
    for pair, steps in first.items():
        for step, processes, wrong, _ in steps:
            assert (processes, wrong) == (2, []), f"{pair}, update {step}"
