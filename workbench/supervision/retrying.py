"""Runs started again, changed against what ailed them; what waited for the model of one waits for that of the other."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from store import runs
from store.connection import open_store
from store.runs import Run
from workbench import recipe as recipes
from workbench import shortage
from workbench.errors import WorkbenchError
from workbench.insight.remedies import remedied
from workbench.models.handover import PREFIX
from workbench.paths import Home
from workbench.recipe import Recipe
from workbench.supervision import queue


def retry(home: Home, run: Run) -> Run:
    """Queue the recipe of a run that ran out of memory again, in smaller batches that make the same updates.

    Raise a WorkbenchError where it ended otherwise, or smaller batches are no help.
    """
    where = f"#{run.id} {run.name}"
    if not shortage.ran_short(run):
        hint = "See what ails it: workbench show RUN. To go on with it: workbench resume RUN."
        raise WorkbenchError(f"it did not run out of memory: it is {run.state}", where, hint)
    recipe = recipes.loads(run.recipe)
    changes = shortage.smaller(recipe)
    if not changes or shortage.EVALUATING in (run.error or ""):
        what = "its batch is 1 already" if not changes else "an evaluation takes as many rows whatever the batch is"
        hint = f"Shorten training.max_length, or hold less: workbench show {run.id} says how"
        raise WorkbenchError(f"smaller batches do not help: {what}", where, hint)
    return start_changed(home, run, remedied(recipe, changes), grp=run.grp)


def start_changed(home: Home, run: Run, recipe: Recipe, *, grp: str | None = None) -> Run:
    """Queue a run that follows from another and is changed against what ailed it; both say so among their events."""
    started = queue.submit(home, recipe, parent_id=run.id, grp=grp)
    _say(home, run, started, recipe)
    _bring_along(home, run, started)
    return started


def _bring_along(home: Home, run: Run, started: Run) -> None:
    """Queue anew what waited for the model of a run, and fails or has failed for want of it, to wait for another's."""
    with open_store(home.store) as store:
        waiting = runs.begun_with(store, f"{PREFIX}{run.uid}")
    for each in waiting:
        changed = remedied(recipes.loads(each.recipe), _names(each, started))
        anew = queue.submit(home, changed, grp=each.grp)
        _say(home, each, anew, changed)
        _bring_along(home, each, anew)


def _names(run: Run, started: Run) -> Mapping[str, Any]:
    """Return the settings of a run that name the one of its backbone, with another in its place."""
    pretrains = getattr(recipes.loads(run.recipe).strategy, "pretrained", None) is not None
    return {"backbone.name": f"{PREFIX}{started.uid}"} | ({"strategy.pretrained": started.uid} if pretrains else {})


def _say(home: Home, run: Run, started: Run, recipe: Recipe) -> None:
    changes = recipes.loads(run.recipe).diff(recipe).items()
    listed = ", ".join(f"{path} {old} → {new}" for path, (old, new) in changes)
    with open_store(home.store) as store:
        for each, words in (
            (run, f"run #{started.id} {started.name} starts it again with {listed}"),
            (started, f"starts run #{run.id} {run.name} again with {listed}"),
        ):
            runs.tell(store, each.id, (time.time(), each.step, "retry", "info", words, None))
