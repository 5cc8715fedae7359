"""What a key does to a run, the same on every place: stop, pause, resume, move in the queue, fix, delete, copy."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from textual.worker import get_current_worker

from screens.dialogs import Choice, Question
from screens.place import PlaceScreen
from store.runs import OPEN, Run
from workbench.insight.diagnosis import Diagnosis
from workbench.text import ABSENT, duration, plain, plural, size, table

if TYPE_CHECKING:
    from workbench.recipe import Recipe


CHANGES = ("stop", "pause", "resume", "evaluate", "checkpoint", "delete", "fix", "sooner", "later")
"""Actions that change a run."""


def why_not(place: PlaceScreen, action: str, run: Run | None) -> str | None:
    """Return why an action cannot be done to a run, or None; actions that need no run are no matter of this."""
    if action not in (*CHANGES, "copy", "try", "open", "open_log", "compare", "mark", "group"):
        return None
    if run is None:
        return "no run is chosen: there is none here"
    if action in CHANGES and place.workbench.readonly:
        return place.feed.warning or "this is a read-only view (--readonly)"
    if action in ("stop", "pause", "evaluate", "checkpoint"):
        return _why_not_asked(action, run)
    if action == "resume" and run.state == "finished":
        return f"run {run.id} is done: there is nothing left to train"
    if action == "resume" and run.state in OPEN:
        return f"run {run.id} is {run.state}: there is nothing to resume"
    if action == "delete" and run.state in OPEN:
        return f"run {run.id} is {run.state}: stop it first (s)"
    if action in ("sooner", "later") and run.state != "queued":
        return f"run {run.id} is not queued: it has no place in the queue"
    if action == "fix":
        return _why_not_fix(place, run)
    if action == "try" and run.best_step is None:
        return f"run {run.id} has no model yet: the first one is saved after an evaluation"
    return None


def _why_not_asked(verb: str, run: Run) -> str | None:
    """Return why a run cannot be asked to stop, pause, evaluate or save a checkpoint."""
    if run.state not in OPEN:
        return f"run {run.id} has ended: there is nothing to {verb}"
    if verb in ("evaluate", "checkpoint") and run.state == "queued":
        return f"run {run.id} is queued: there is nothing to {verb} yet"
    if verb != "stop" and run.state == "stopping":
        return f"run {run.id} is {'pausing' if run.pausing else 'stopping'} already"
    return None


def ask_stop(place: PlaceScreen, run: Run) -> None:
    """Ask, then stop a run after its present step, or take it out of the queue."""

    def stop(answer: str | None) -> None:
        if answer:
            ask(place, run, "stop")

    if run.state == "queued":
        place.app.push_screen(
            Question(f"Take run {run.id} {run.name} out of the queue?", [], Choice("y", "take out", "stop")), stop
        )
        return
    lines = [f"It is at step {run.step}. It saves a checkpoint, and u resumes it later."]
    choice = Choice("y", "stop after this step", "stop")
    place.app.push_screen(Question(f"Stop run {run.id} {run.name}?", lines, choice), stop)


def ask(place: PlaceScreen, run: Run, verb: str) -> None:
    """Ask a run to stop, pause, evaluate or checkpoint, say so, and say what its worker answers."""

    def wait() -> str:
        from workbench.supervision import queue, replies

        asked = queue.ask(place.workbench.home, run, verb)
        place.feed.hurry()
        place.app.call_from_thread(place.workbench.say, asked.words)
        worker = get_current_worker()
        return replies.wait_for(place.workbench.home, asked, given_up=lambda: worker.is_cancelled).words

    _in_thread(place, f"asking run {run.id} to {verb}", wait)


def resume(place: PlaceScreen, run: Run) -> None:
    """Go on with a run from its newest checkpoint."""

    def go_on() -> str:
        from workbench.supervision import queue

        queue.resume(place.workbench.home, run)
        return f"run {run.id} goes on"

    _in_thread(place, f"resuming run {run.id}", go_on)


def reorder(place: PlaceScreen, run: Run, where: str) -> None:
    """Move a queued run one place `up` or `down` in the queue."""

    def move() -> str:
        from workbench.supervision import queue

        at = queue.reorder(place.workbench.home, run, where)
        return f"run {run.id} is number {at} in the queue"

    _in_thread(place, f"moving run {run.id}", move)


def _why_not_fix(place: PlaceScreen, run: Run) -> str | None:
    diagnosis = diagnosis_of(place, run)
    if diagnosis is None:
        return f"nothing is known to ail run {run.id}"
    return None if diagnosis.changes else f"what helps no setting does: {diagnosis.remedy}"


def diagnosis_of(place: PlaceScreen, run: Run) -> Diagnosis | None:
    """Return the weightiest thing that ails a run."""
    trace = place.feed.traces.get(run.id)
    return trace.diagnoses[0] if trace and trace.diagnoses else None


def ask_fix(place: PlaceScreen, run: Run) -> None:
    """Ask, with each change, then queue the run's recipe as changed against what ails it, and go there."""
    from workbench import recipe as recipes
    from workbench.insight.remedies import remedied

    diagnosis = diagnosis_of(place, run)
    if diagnosis is None:
        return
    recipe = recipes.loads(run.recipe)
    changed = remedied(recipe, diagnosis.changes)
    rows = [[path, f"{_value(old)} → {_value(new)}"] for path, (old, new) in recipe.diff(changed).items()]
    goes_on = f"Run {run.id} goes on beside it: s stops it." if run.active else ""
    lines = [diagnosis.words, "", *table(rows), "", f"The new run follows from run {run.id}. {goes_on}"]

    def start(answer: str | None) -> None:
        if answer:
            _in_thread(place, f"starting run {run.id} changed", lambda: _start(place, run, changed))

    choice = Choice("y", "start it", "start")
    place.app.push_screen(Question(f"Start run {run.id} {run.name} again, changed?", lines, choice, ready=True), start)


def _value(value: Any) -> str:
    return ABSENT if value is None else f"{value:g}" if isinstance(value, float) else plain(value, 60)


def _start(place: PlaceScreen, run: Run, recipe: Recipe) -> str:
    from workbench.supervision import retrying

    started = retrying.start_changed(place.workbench.home, run, recipe)
    place.app.call_from_thread(place.workbench.open_place, "live", started.id)
    return f"run {started.id} follows from run {run.id}"


def ask_delete(place: PlaceScreen, run: Run) -> None:
    """Ask, naming the run and what it cost, then delete it."""
    bytes_, files = _weigh(place, run)
    cost = [f"{duration(run.seconds)} of training" if run.seconds else "", f"{plural(files, 'file')}, {size(bytes_)}"]
    lines = [f"That is {' and '.join(part for part in cost if part)}. Its folder goes to the trash."]

    def delete(answer: str | None) -> None:
        if answer:
            _in_thread(place, f"deleting run {run.id}", lambda: _delete(place, run))

    place.app.push_screen(Question(f"Delete run {run.id} {run.name}?", lines, Choice("y", "delete", "delete")), delete)


def _delete(place: PlaceScreen, run: Run) -> str:
    from workbench.supervision import queue

    queue.delete(place.workbench.home, run)
    return f"run {run.id} is deleted; its folder is in {place.workbench.home.trash}"


def copy_uid(place: PlaceScreen, run: Run) -> None:
    """Send a run's uid to the terminal, which may or may not put it on its clipboard."""
    place.app.copy_to_clipboard(plain(run.uid))
    place.workbench.say(f"{run.uid} was sent to the terminal's clipboard")


def _weigh(place: PlaceScreen, run: Run) -> tuple[int, int]:
    """Return the bytes and the number of files of a run's folder."""
    total = files = 0
    for folder, _, names in os.walk(place.workbench.home.run_folder(run.uid)):
        for name in names:
            try:
                total += os.lstat(os.path.join(folder, name)).st_size
                files += 1
            except OSError:
                continue
    return total, files


def _in_thread(place: PlaceScreen, description: str, work: Callable[[], str]) -> None:
    """Do slow work beside the screen and say its words; its errors are shown by the place."""

    def act() -> None:
        words = work()
        place.feed.hurry()
        place.app.call_from_thread(place.workbench.say, words)

    place.run_worker(act, thread=True, exit_on_error=False, group="acting", description=description)
