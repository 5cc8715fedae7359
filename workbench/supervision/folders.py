"""Run folders on their way into and out of the store; whoever calls this holds the dispatch lock.

A folder is whole before it stands under `runs`, and leaves it before its row goes. What a process that died in
between left in `moving` is brought to its end by `settle`.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from store import runs
from store.connection import Store
from store.runs import Run
from workbench.paths import Home

NEW = ".new"
GONE = ".gone"
CARD = "run.json"
DESCRIBED = (
    *("id", "uid", "name", "created", "grp", "task", "backbone", "strategy", "dataset", "reason", "seed", "host"),
    *("goal_key", "recipe_hash"),
)
"""What the card of a run has of its row, as it was when it was queued."""


def stage(home: Home, uid: str, recipe: str) -> Path:
    """Write the folder of a run that has no row yet, and return it: `recipe` is its TOML text."""
    folder = home.moving / (uid + NEW)
    folder.mkdir(mode=0o700)
    _write(folder / "recipe.toml", recipe)
    return folder


def publish(home: Home, store: Store, run: Run) -> None:
    """Let the staged folder of a run describe itself and stand under `runs`."""
    staged = home.moving / (run.uid + NEW)
    parent = runs.get(store, run.parent_id) if run.parent_id is not None else None
    card = {name: getattr(run, name) for name in DESCRIBED} | {"parent_uid": parent.uid if parent else None}
    _write(staged / CARD, json.dumps(card, ensure_ascii=False, indent=1))
    _sync(staged)
    staged.rename(home.run_folder(run.uid))
    _sync(home.runs)


def withdraw(home: Home, store: Store, run: Run) -> None:
    """Move the folder of an ended run to the trash and delete its row."""
    folder, leaving = home.run_folder(run.uid), home.moving / (run.uid + GONE)
    if folder.exists():
        folder.rename(leaving)
    runs.delete(store, run.id)
    if leaving.exists():
        leaving.rename(home.trash / run.uid)


def settle(home: Home, store: Store) -> None:
    """End what a process that died left half done: publish what has a row, delete what was leaving, drop the rest.

    What cannot be moved stays where it is: leftovers never keep the queue from going on.
    """
    for path in sorted(home.moving.iterdir()) if home.moving.is_dir() else []:
        run = runs.find(store, path.stem)
        known = run if run and run.uid == path.stem else None
        with contextlib.suppress(OSError):
            if known and path.suffix == NEW:
                publish(home, store, known)
            elif known and path.suffix == GONE:
                withdraw(home, store, known)
            else:
                path.rename(home.trash / path.stem)


def _write(path: Path, text: str) -> None:
    flags = os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW
    with open(os.open(path, flags, 0o600), "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
