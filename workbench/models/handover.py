"""The best model of a run, handed to the run that begins with it or is taught by it. Standard library only: shepherds
read this."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from store import runs
from store.connection import Store
from store.runs import OPEN, Run
from workbench.errors import WorkbenchError
from workbench.paths import Home
from workbench.training.publish import step_folders, step_of, verify

PREFIX = "run:"
"""What stands before a run's uid in one of the settings `GIVEN`."""

BACKBONE = "backbone.name"
GIVEN = {BACKBONE: "backbone", "strategy.teacher": "teacher"} | {
    f"augment.{key}": key for key in ("masked_model", "there", "back")
}
"""The settings that may name a run as `run:UID`, and the folder of a run that then holds the model it was given."""

BEGUN = "begun.json"
"""The file of a run folder that says with how many threads it began, and with which data and tokens."""

AWAITED = (*OPEN, "paused")
"""States of a run whose model will be better: who wants it waits."""

ATTEMPTS = 3
"""A model that is taken may just then be replaced by a better one; not so often in a row."""


def newest_model(run_folder: Path) -> Path | None:
    """Return the newest model that a run has published, or None; it is not verified."""
    return max(step_folders(run_folder / "models"), key=step_of, default=None)


def best_model(home: Home, run: Run, setting: str = BACKBONE) -> Path:
    """Return the folder of a run's best model; raise a WorkbenchError where it has none."""
    folder = newest_model(home.run_folder(run.uid))
    if folder is None:
        raise WorkbenchError(
            "it has no model yet: the first is saved at the first evaluation",
            where=f"{setting}: run #{run.id} {run.name}",
            hint="Wait for it, or pick another model.",
        )
    return folder


def keep(home: Home, parent: Run, folder: Path, setting: str) -> None:
    """Give the run in `folder` the best model of the run that a setting names, whatever becomes of that run.

    Published files never change, so that links do: they take no room.
    """
    beside = folder / f".{GIVEN[setting]}"
    for _ in range(ATTEMPTS):
        model = best_model(home, parent, setting)
        shutil.rmtree(beside, ignore_errors=True)
        try:
            shutil.copytree(model, beside, copy_function=link)
        except (shutil.Error, FileNotFoundError):
            continue
        if verify(beside):
            beside.rename(folder / GIVEN[setting])
            return
    shutil.rmtree(beside, ignore_errors=True)
    raise WorkbenchError(
        "its model is damaged: the files are not those of its manifest",
        where=f"{setting}: run #{parent.id} {parent.name}",
        hint="Put the files back from a copy, or train its recipe again.",
    )


def begin_like(folder: Path, staged: Path) -> None:
    """Give a run that is staged what the run in `folder` began with: threads, data, and the models of other runs."""
    for name in GIVEN.values():
        if (folder / name).is_dir():
            shutil.copytree(folder / name, staged / name, copy_function=link)
    if (folder / BEGUN).exists():
        shutil.copy2(folder / BEGUN, staged / BEGUN)


def lacking(home: Home, store: Store, run: Run) -> dict[str, str]:
    """Return the settings of a run that name other runs, and their uids, where it was not given the model yet."""
    recipe, folder = runs.config(store, [run.id]), home.run_folder(run.uid)
    named = {setting: recipe.get(setting, {}).get(run.id, "") for setting in GIVEN}
    return {
        setting: name.removeprefix(PREFIX)
        for setting, name in named.items()
        if name.startswith(PREFIX) and not (folder / GIVEN[setting]).is_dir()
    }


def give(home: Home, store: Store, run: Run) -> list[str] | None:
    """Give a run the models of others that it lacks; return which in words, or None where it is to wait yet.

    Raise a WorkbenchError where it waits in vain.
    """
    givers = {setting: _exactly(store, uid) for setting, uid in lacking(home, store, run).items()}
    ended = {setting: giver for setting, giver in givers.items() if giver is None or giver.state not in AWAITED}
    for setting, giver in ended.items():
        _refuse_in_vain(home, setting, giver)
    if len(ended) < len(givers):
        return None
    told = []
    for setting, giver in ended.items():
        if giver is not None:
            keep(home, giver, home.run_folder(run.uid), setting)
            told.append(f"{_begins(setting)} the best model of run #{giver.id} {giver.name}")
    return told


def _exactly(store: Store, uid: str) -> Run | None:
    found = runs.find(store, uid)
    return found if found is not None and found.uid == uid else None


def _refuse_in_vain(home: Home, setting: str, giver: Run | None) -> None:
    """Raise a WorkbenchError where a run that is no longer awaited has no model to give."""
    what = "backbone" if setting == BACKBONE else setting
    if giver is None:
        raise WorkbenchError(f"the run of its {what} was deleted")
    named = f"its {what}, run #{giver.id} {giver.name},"
    if giver.state not in ("finished", "stopped"):
        raise WorkbenchError(f"{named} {giver.state}: {giver.error or 'no reason was recorded'}")
    if newest_model(home.run_folder(giver.uid)) is None:
        raise WorkbenchError(f"{named} was {giver.state} before its first model")


def _begins(setting: str) -> str:
    return "begins with" if setting == BACKBONE else f"{setting} is"


def link(source: str, target: str) -> None:
    """Link a published file, or copy it where links cannot be made."""
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copy2(source, target)
