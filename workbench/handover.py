"""The best model of a run, handed to the run that begins with it. Standard library only: shepherds read this."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from store import runs
from store.connection import Store
from store.runs import OPEN, Run
from workbench.errors import WorkbenchError
from workbench.paths import Home
from workbench.training.publish import step_folders, step_of, verify

PREFIX = "run:"
"""What stands before a run's uid in `backbone.name`."""

KEPT = "backbone"
"""The folder of a run that holds the model it began with."""

BEGUN = "begun.json"
"""The file of a run folder that says with how many threads it began, and with which data and tokens."""

AWAITED = (*OPEN, "paused")
"""States of a run whose model will be better: who begins with it waits."""

ATTEMPTS = 3
"""A model that is taken may just then be replaced by a better one; not so often in a row."""


def newest_model(run_folder: Path) -> Path | None:
    """Return the newest model that a run has published, or None; it is not verified."""
    return max(step_folders(run_folder / "models"), key=step_of, default=None)


def best_model(home: Home, run: Run) -> Path:
    """Return the folder of a run's best model; raise a WorkbenchError where it has none."""
    folder = newest_model(home.run_folder(run.uid))
    if folder is None:
        raise WorkbenchError(
            "it has no model yet: the first is saved at the first evaluation",
            where=f"backbone.name: run #{run.id} {run.name}",
            hint="Wait for it, or pick another backbone.",
        )
    return folder


def keep(home: Home, parent: Run, folder: Path) -> None:
    """Give the run in `folder` the best model of its parent for itself, whatever becomes of the parent.

    Published files never change, so that links do: they take no room.
    """
    beside = folder / f".{KEPT}"
    for _ in range(ATTEMPTS):
        model = best_model(home, parent)
        shutil.rmtree(beside, ignore_errors=True)
        try:
            shutil.copytree(model, beside, copy_function=link)
        except (shutil.Error, FileNotFoundError):
            continue
        if verify(beside):
            beside.rename(folder / KEPT)
            return
    shutil.rmtree(beside, ignore_errors=True)
    raise WorkbenchError(
        "its model is damaged: the files are not those of its manifest",
        where=f"backbone.name: run #{parent.id} {parent.name}",
        hint="Put the files back from a copy, or train its recipe again.",
    )


def begin_like(folder: Path, staged: Path, helpers: Iterable[str]) -> None:
    """Give a run that is staged what the run in `folder` began with: threads, data, and the models of other runs.

    `helpers` are the folders of those beside the backbone's.
    """
    for name in (KEPT, *helpers):
        if (folder / name).is_dir():
            shutil.copytree(folder / name, staged / name, copy_function=link)
    if (folder / BEGUN).exists():
        shutil.copy2(folder / BEGUN, staged / BEGUN)


def lacks_backbone(home: Home, store: Store, run: Run) -> bool:
    """Return whether a run begins with the model of another that it has not been given yet."""
    return bool(_awaited_uid(store, run)) and not (home.run_folder(run.uid) / KEPT).is_dir()


def awaited(store: Store, run: Run) -> Run | None:
    """Return the run whose model a run begins with, or None where it is gone."""
    uid = _awaited_uid(store, run)
    found = runs.find(store, uid)
    return found if found is not None and found.uid == uid else None


def why_in_vain(home: Home, parent: Run | None) -> str:
    """Return why nobody will ever begin with the model of a run that is no longer awaited, or nothing."""
    if parent is None:
        return "the run of its backbone was deleted"
    named = f"its backbone, run #{parent.id} {parent.name},"
    if parent.state not in ("finished", "stopped"):
        return f"{named} {parent.state}: {parent.error or 'no reason was recorded'}"
    return "" if newest_model(home.run_folder(parent.uid)) else f"{named} was {parent.state} before its first model"


def _awaited_uid(store: Store, run: Run) -> str:
    name = runs.config(store, [run.id]).get("backbone.name", {}).get(run.id, "")
    return name.removeprefix(PREFIX) if name.startswith(PREFIX) else ""


def link(source: str, target: str) -> None:
    """Link a published file, or copy it where links cannot be made."""
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copy2(source, target)
