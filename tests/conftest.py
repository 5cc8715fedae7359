"""One short run, really trained by the command, for all tests that look at an ended run."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings

from store import runs
from store.connection import read_store
from store.runs import Run
from tests.making import GOOD, tiny_backbone, toy_rows, write_jsonl
from workbench.paths import Home
from workbench.recipe import parse

settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")

HOSTILE = "[CLS] [/red] \x1b]0;x\x07 \x9b2J \u202e\u200b é 中"
"""Text that would drive a terminal, break markup, turn a line around or hide."""


@dataclass(frozen=True)
class Finished:
    """A home with one ended run, and what the command said."""

    home: Home
    run: Run
    folder: Path
    stdout: str
    stderr: str


def workbench(*arguments: object, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the `workbench` command as a person does."""
    env = os.environ | {"WORKBENCH_HOME": str(home), "WORKBENCH_SLOTS": "cpu"} | environment
    words = [sys.executable, "-m", "workbench", *map(str, arguments)]
    return subprocess.run(words, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp("finished")
    backbone = tiny_backbone(folder / "backbone")
    hostile = [{"text": f"{HOSTILE} {row['text']}", "label": f"{row['label']} {HOSTILE}"} for row in toy_rows(40)]
    lengths = [{"text": " ".join([GOOD[1]] * n), "label": hostile[1]["label"]} for n in range(1, 9)]
    recipe = parse(
        {
            "name": HOSTILE,
            "task": "sentiment",
            "data": {
                "train": str(write_jsonl(folder / "train.jsonl", [*hostile, *lengths])),
                "validation": str(write_jsonl(folder / "validation.jsonl", [*hostile[:13], *lengths])),
            },
            "backbone": str(backbone),
            "strategy": {"name": "gradual", "unfrozen_by": 0.5},
            "training": {"epochs": 3, "batch_size": 8, "learning_rate": 5e-3, "max_length": 32},
            "evaluation": {"every": 6},
        }
    )
    (folder / "recipe.toml").write_text(recipe.to_toml(), encoding="utf-8")
    said = workbench("train", folder / "recipe.toml", "--wait", home=folder / "home")
    assert said.returncode == 0, said.stderr
    home = Home(folder / "home")
    with read_store(home.store) as store:
        (run,) = runs.listing(store)
    return Finished(home, run, folder, said.stdout, said.stderr)
