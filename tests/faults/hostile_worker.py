"""Check and train on hostile folders, each in a child forked from this process, which has loaded the libraries.

Folders and rows as JSON on stdin; name → [what the check said, what the training said] as JSON on stdout.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from pathlib import Path

from tests.faults.kills import warm_up
from workbench.data.inspect import answer
from workbench.errors import WorkbenchError
from workbench.recipe import Recipe, parse
from workbench.training.loop import Control, train

DEADLINE = 60
"""Seconds that a child has for one folder; more is a hang."""

TRAINED = "trained"


def recipe_of(folder: str, rows: str) -> Recipe:
    training = {"epochs": 1, "batch_size": 8, "max_length": 32}
    hardware = {"device": "cpu", "threads": 1}
    tables = {"task": "sentiment", "data": rows, "backbone": folder, "strategy": "full"}
    return parse({**tables, "training": training, "hardware": hardware})


def check(recipe: Recipe, folder: Path) -> str:
    findings = answer(recipe, folder / "cache")["findings"]
    return " ".join(each["what"] for each in findings if each["level"] == "error")


def learn(recipe: Recipe, folder: Path) -> str:
    (folder / "run").mkdir()
    for _ in train(recipe, folder / "run", folder / "cache", Control()):
        pass
    return TRAINED


def told(folder: str, rows: str) -> list[str]:
    """Return what checking and training came to, in words."""
    said = []
    with tempfile.TemporaryDirectory() as place:
        for do in (check, learn):
            try:
                said.append(do(recipe_of(folder, rows), Path(place)))
            except WorkbenchError as error:
                said.append(str(error))
    return said


def apart(folder: str, rows: str) -> list[str]:
    """Do it in a child that answers every question with yes."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(DEADLINE)
        answers, yes = os.pipe()
        os.write(yes, b"y\n" * 1000)
        os.dup2(answers, 0)
        sys.stdin = os.fdopen(0)
        os.dup2(2, 1)
        try:
            os.write(writing, json.dumps(told(folder, rows)).encode())
        except BaseException as error:
            os.write(writing, json.dumps([f"{type(error).__name__}: {error}"] * 2).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        words = stream.read()
    os.waitpid(child, 0)
    found: list[str] = json.loads(words) if words else ["hung", "hung"]
    return found


def main() -> None:
    request = json.load(sys.stdin)
    warm_up()
    print(json.dumps({name: apart(folder, request["rows"]) for name, folder in request["folders"].items()}))


if __name__ == "__main__":
    main()
