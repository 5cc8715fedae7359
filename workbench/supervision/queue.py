"""What a person asks of the queue: submit, move, stop, pause, resume, retry, delete. `advance` makes it go on."""

from __future__ import annotations

import os
import platform
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from store import commands, points, runs
from store.connection import Store, StoreError, open_store
from store.runs import ACTIVE, BACKBONE, OPEN, PAUSE, Run
from workbench import pipelines
from workbench.errors import WorkbenchError
from workbench.founding import found
from workbench.models import handover, parents
from workbench.paths import Home
from workbench.supervision import folders, locks
from workbench.supervision.dispatch import advance, conclude, dispatch_lock, hand_over
from workbench.supervision.slots import find_slots

if TYPE_CHECKING:
    from workbench.recipe import Recipe

__all__ = [
    "Asked",
    "advance",
    "ask",
    "delete",
    "pause",
    "reorder",
    "repeat",
    "resume",
    "stop",
    "submit",
    "submit_group",
]

RESUMABLE = ("paused", "stopped", "failed", "crashed", "lost")
STATES = {"stop": "stopped", "pause": "paused"}
"""What ends a run → the state in which it ends."""
WORDS = {
    "stop": "was asked to stop; it saves a checkpoint first",
    "pause": "was asked to pause; it saves a checkpoint first",
    "checkpoint": "was asked to save a checkpoint",
    "evaluate": "was asked to evaluate",
}
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(frozen=True)
class Asked:
    """What was asked of a run, in words; `command` is what its worker will answer, None where it is done already."""

    run: Run
    verb: str
    words: str
    command: int | None = None


def submit(home: Home, recipe: Recipe, *, parent_id: int | None = None, grp: str | None = None) -> Run:
    """Queue a run of this recipe, start it if a slot is free, and return its row.

    `parent_id` is the run it follows from, that of its backbone where it names one; `grp` a word shared by runs that
    are started to be compared. A run whose backbone is the model of an open run waits until that one has ended. Where
    the strategy pretrains first, another run is queued before it: one of the group that does the same serves as well.
    """
    steps = _steps(home, recipe)
    found(home)
    with dispatch_lock(home), _open(home) as store:
        folders.settle(home, store)
        if parent_id is not None and runs.get(store, parent_id) is None:
            raise WorkbenchError("there is no such run to follow from", where=f"#{parent_id}")
        run = _add_steps(home, store, steps, parent_id, grp)
    advance(home)
    return _reread(home, run.id)


def repeat(home: Home, run: Run, recipe: Recipe) -> Run:
    """Queue a run of the same `recipe` that begins with what `run` began with, and follows from it; return its row."""
    _check_device(recipe)
    with dispatch_lock(home), _open(home) as store:
        folders.settle(home, store)
        now = _fresh(store, run.id)
        if not now.step:
            raise WorkbenchError("it has done no update yet: there is nothing to repeat", where=_called(now))
        repeated = _add(home, store, recipe, now.id, None, like=now)
    advance(home)
    return _reread(home, repeated.id)


def submit_group(home: Home, recipes: Sequence[Recipe], stem: str) -> list[Run]:
    """Queue a run of each recipe, all of one new group called `stem`, with a number where that is taken.

    Raise a WorkbenchError, having queued nothing, where one of them cannot be.
    """
    steps = [_steps(home, recipe) for recipe in recipes]
    found(home)
    with dispatch_lock(home), _open(home) as store:
        folders.settle(home, store)
        for recipe in recipes:
            for setting, giver in parents.pin(store, recipe)[1].items():
                if giver.state not in handover.AWAITED:
                    handover.best_model(home, giver, setting)
        grp = unique_name(stem, runs.groups_like(store, stem))
        added = [_add_steps(home, store, each, None, grp) for each in steps]
    advance(home)
    return [_reread(home, run.id) for run in added]


def _steps(home: Home, recipe: Recipe) -> tuple[Recipe | None, Recipe]:
    """Return a recipe with the one that pretrains before it, if there is one."""
    _check_device(recipe)
    return (pipelines.pretraining_of(recipe, home) if recipe.pretrains else None), recipe


def _add_steps(
    home: Home, store: Store, steps: tuple[Recipe | None, Recipe], parent_id: int | None, grp: str | None
) -> Run:
    """Queue a recipe, after the one that pretrains where there is one; return the run of the recipe itself."""
    first, recipe = steps
    if first is None:
        return _add(home, store, recipe, parent_id, grp)
    pretraining = _shared(home, store, first, grp) or _add(home, store, first, parent_id, grp)
    return _add(home, store, pipelines.fine_tuning_of(recipe, pretraining), None, grp)


def _shared(home: Home, store: Store, recipe: Recipe, grp: str | None) -> Run | None:
    """Return a run of the group that carries out the same recipe, or has done so."""
    wanted = parents.pin(store, recipe)[0].hash()
    for run in runs.of_group(store, grp) if grp is not None else ():
        done = run.state == "finished" and handover.newest_model(home.run_folder(run.uid)) is not None
        if run.recipe_hash == wanted and (done or run.state in handover.AWAITED):
            return run
    return None


def _add(
    home: Home, store: Store, recipe: Recipe, parent_id: int | None, grp: str | None, like: Run | None = None
) -> Run:
    """Queue one run, under the dispatch lock; it begins with what `like` began with, where that is given."""
    recipe, givers = (recipe, dict[str, Run]()) if like else parents.pin(store, recipe)
    parent = givers.get(handover.BACKBONE)
    uid, toml = new_uid(), recipe.to_toml()
    staged = folders.stage(home, uid, toml)
    if like is not None:
        handover.begin_like(home.run_folder(like.uid), staged)
    for setting, giver in givers.items():
        if giver.state not in handover.AWAITED:
            handover.keep(home, giver, staged, setting)
    waits = any(giver.state in handover.AWAITED for giver in givers.values())
    run_id = runs.create(
        store,
        recipe.flat(),
        uid=uid,
        name=unique_name(recipe.label, runs.names_like(store, recipe.label)),
        task=recipe.task.name,
        backbone=like.backbone if like else f"#{parent.id} {parent.name}" if parent else _short(recipe.backbone.name),
        strategy=recipe.strategy.name,
        dataset=recipe.dataset,
        state="queued",
        reason=BACKBONE if waits else None,
        recipe=toml,
        recipe_hash=recipe.hash(),
        goal_key=f"eval/{recipe.goal}",
        seed=recipe.seed,
        host=platform.node(),
        parent_id=parent.id if parent and parent_id is None else parent_id,
        grp=grp,
    )
    folders.publish(home, store, _fresh(store, run_id))
    return _fresh(store, run_id)


def stop(home: Home, run: Run) -> Asked:
    """End a queued run at once, or ask the worker of an active one to stop."""
    return ask(home, run, "stop")


def pause(home: Home, run: Run) -> Asked:
    """Take a queued run from the queue until it is resumed, or ask the worker of an active one to pause."""
    return ask(home, run, "pause")


def ask(home: Home, run: Run, verb: str) -> Asked:
    """Ask the worker of an active run to stop, pause, checkpoint or evaluate; the first two end a queued one."""
    if run.active and not locks.alive(home.run_folder(run.uid)):
        advance(home)
    with _open(home) as store:
        now = _fresh(store, run.id)
        if verb in STATES and now.state == "queued":
            words = "taken from the queue"
            if conclude(store, now, STATES[verb], "user", words, since=("queued",), error=False):
                return Asked(now, verb, f"{_called(now)} was {words}: it is {STATES[verb]}")
        now = _fresh(store, run.id)
        if not now.active:
            raise WorkbenchError(f"it is not running: it is {now.state}", where=_called(now), hint=_next_step(now))
        if now.state == "stopping" and verb != "stop" and not (verb == "pause" and now.pausing):
            raise WorkbenchError("it is stopping already", where=_called(now), hint="It saves a checkpoint as it ends.")
        # The command first: a run may stop without having said `stopping`, but must not say so and never stop.
        command = commands.ask(store, now.id, now.attempt, verb)
        if verb in STATES:
            reason = PAUSE if verb == "pause" else None
            runs.move(store, now.id, "stopping", since=ACTIVE, attempt=now.attempt, reason=reason)
    locks.signal_worker(home.run_folder(now.uid), signal.SIGUSR1)
    return Asked(now, verb, f"{_called(now)} {WORDS[verb]}", command)


def resume(home: Home, run: Run) -> Run:
    """Queue a run that ended early for its next attempt, which goes on from the newest valid checkpoint."""
    advance(home)
    with dispatch_lock(home), _open(home) as store:
        now = _fresh(store, run.id)
        if now.state not in RESUMABLE:
            raise WorkbenchError(f"it cannot be resumed: it is {now.state}", where=_called(now), hint=_next_step(now))
        if not home.run_folder(now.uid).is_dir():
            raise WorkbenchError(
                "its folder is gone, and its checkpoints with it",
                where=_called(now),
                hint="Start its recipe again as a new run.",
            )
        points.unpack(store, now.id)
        reason = BACKBONE if handover.lacking(home, store, now) else None
        cleared = {"reason": reason, "error": None, "exit_code": None, "ended": None, "slot": None, "priority": 0}
        if not runs.move(store, now.id, "queued", since=RESUMABLE, attempt=now.attempt, **cleared):
            raise WorkbenchError("somebody else changed it just now", where=_called(now), hint="Look at it again.")
    advance(home)
    return _reread(home, run.id)


def reorder(home: Home, run: Run, where: str) -> int:
    """Move a queued run in the queue: `first`, `last`, one place `up` or `down`; return its place, 1 starts next."""
    with dispatch_lock(home), _open(home) as store:
        order = [each.id for each in runs.queued(store)]
        if run.id not in order:
            now = _fresh(store, run.id)
            raise WorkbenchError(
                f"it has no place in the queue: it is {now.state}", where=_called(now), hint="See it: workbench queue"
            )
        before, last = order.index(run.id), len(order) - 1
        place = {"first": 0, "last": last, "up": max(0, before - 1), "down": min(last, before + 1)}[where]
        order.insert(place, order.pop(before))
        runs.put_in_order(store, order)
    advance(home)
    return place + 1


def delete(home: Home, run: Run) -> None:
    """Delete an ended run from the store and move its folder to the trash."""
    with dispatch_lock(home), _open(home) as store:
        folders.settle(home, store)
        hand_over(home, store)
        now = _fresh(store, run.id)
        if now.state in OPEN:
            raise WorkbenchError(
                f"it cannot be deleted: it is {now.state}", where=_called(now), hint="Stop it first, then delete it."
            )
        if locks.alive(home.run_folder(now.uid)):
            raise WorkbenchError(
                "a process of it is still ending", where=_called(now), hint="Try again in a few seconds."
            )
        folders.withdraw(home, store, now)


def new_uid() -> str:
    """Return 26 letters and digits that sort by time, to the millisecond (a ULID: github.com/ulid/spec)."""
    number = (time.time_ns() // 1_000_000 << 80) | int.from_bytes(os.urandom(10), "big")
    return "".join(_CROCKFORD[(number >> shift) & 31] for shift in range(125, -1, -5))


def unique_name(label: str, taken: set[str]) -> str:
    """Return the label, or the label with the first free number from 2 behind it."""
    if label not in taken:
        return label
    return next(name for n in range(2, len(taken) + 3) if (name := f"{label}-{n}") not in taken)


def _check_device(recipe: Recipe) -> None:
    if recipe.hardware.device == "gpu" and not any(slot.on_gpu for slot in find_slots()):
        raise WorkbenchError(
            "no GPU is visible here",
            where="hardware.device",
            hint='Set hardware.device to "auto" or "cpu", or check `nvidia-smi` and CUDA_VISIBLE_DEVICES.',
        )


def _open(home: Home) -> Store:
    try:
        return open_store(home.store)
    except StoreError as error:
        raise WorkbenchError(str(error)) from error


def _fresh(store: Store, run_id: int) -> Run:
    run = runs.get(store, run_id)
    if run is None:
        raise WorkbenchError("there is no such run any more", where=f"#{run_id}")
    return run


def _reread(home: Home, run_id: int) -> Run:
    with _open(home) as store:
        return _fresh(store, run_id)


def _short(backbone: str) -> str:
    return PurePath(backbone).name if backbone.startswith("/") else backbone


def _called(run: Run) -> str:
    return f"#{run.id} {run.name}"


def _next_step(run: Run) -> str:
    if run.state in OPEN:
        return "Wait until it has ended, or stop it first."
    if run.state == "finished":
        return "It did all its steps. To train on, start a new run from it with more epochs."
    return "Resume it to go on from its newest checkpoint."
