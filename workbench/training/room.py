"""Save where there may be no room, or no folder just now: wait for it, holding everything, and go on as if nothing had
been. The random state is not touched, so that a run that waited ends with the same bits."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.box import full_disk
from workbench.errors import WorkbenchError
from workbench.text import duration, size
from workbench.training.checkpoints import Progress
from workbench.training.control import Control
from workbench.training.events import GOES_ON, Event, Noted
from workbench.training.publish import Published

if TYPE_CHECKING:
    import torch

    from workbench.training.job import Job

FIRST_SECONDS = 10.0
MOST_SECONDS = 60.0
"""Between two tries; each waits twice as long as the one before, up to the most."""
LOOK_SECONDS = 0.1


class Unsaved(Exception):
    """The run was asked to end while it waited for room: it ends without saving what it is at."""

    def __init__(self, step: int, why: str) -> None:
        super().__init__(why)
        self.step = step


class NoRoom(WorkbenchError):
    """What the run saves can never fit here."""


class FolderGone(WorkbenchError):
    """The run's folder was deleted; there is nothing to wait for."""


class Room:
    """The place where one run saves: the folder that it began with, and what others want of the run meanwhile."""

    def __init__(self, folder: Path, control: Control) -> None:
        self.folder = folder
        self._control = control
        self._handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def save(
        self, progress: Progress, what: str, needed: int, write: Callable[[], Published]
    ) -> Generator[Event, None, Published]:
        """Publish by `write`, waiting where that cannot be done now; return what was published, as `yield from` does.

        `what` says what is saved, `needed` how many bytes it takes. Raises Unsaved, FolderGone.
        """
        told, wait, begun = "", FIRST_SECONDS, time.monotonic()
        while True:
            try:
                published = self._try(write)
                break
            except _Waiting as waiting:
                kind, words = waiting.kind, waiting.words(what, progress.step, needed, self.folder)
            if kind != told:
                yield Noted(progress.step, kind, words)
                told = kind
            self._wait(progress.step, wait, words)
            wait = min(2 * wait, MOST_SECONDS)
        if told:
            waited = time.monotonic() - begun
            progress.seconds -= waited
            yield Noted(progress.step, GOES_ON, f"the {what} is saved; the run waited {duration(waited)} and goes on")
        return published

    def _try(self, write: Callable[[], Published]) -> Published:
        self._look_for_folder()
        try:
            return write()
        except Exception as error:
            if full_disk.is_full(error):
                raise _Waiting("disk_full", error) from error
            self._look_for_folder()
            raise

    def _look_for_folder(self) -> None:
        mine = os.fstat(self._handle)
        try:
            if os.path.samestat(mine, os.stat(self.folder)):
                return
        except OSError:
            pass
        if mine.st_nlink == 0:
            raise FolderGone(
                "its folder was deleted while it trained",
                where=str(self.folder),
                hint="Start its recipe again: workbench show RUN --recipe prints it.",
            )
        raise _Waiting("folder_gone")

    def _wait(self, step: int, seconds: float, why: str) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self._control.ends():
                raise Unsaved(step, why)
            time.sleep(LOOK_SECONDS)


class _Waiting(Exception):
    def __init__(self, kind: str, error: Exception | None = None) -> None:
        self.kind, self.error = kind, error

    def words(self, what: str, step: int, needed: int, folder: Path) -> str:
        """Say what is the matter and what to do."""
        if self.kind == "folder_gone":
            return (
                f"its folder {folder} is not there: bring it back (it was moved, or a disk unmounted), or stop the run"
            )
        limit = full_disk.largest_file()
        if limit is not None and limit < needed:
            return f"no room for the {what}: {size(needed)} needed, a file may have {size(limit)} (ulimit -f)"
        free = full_disk.free_bytes(folder)
        room = (
            f"{size(needed)} needed, {size(free)} free" if free < needed else f"{size(needed)} needed; see your quota"
        )
        return f"disk full, no room for the {what}: {room} in {folder}; delete runs, and empty the trash"


def look_ahead(job: Job, progress: Progress) -> Iterator[Event]:
    """Say before the first update where there is too little room for what the run will save.

    Raises NoRoom where not even one checkpoint and one model can ever fit.
    """
    state, model = state_bytes(job), model_bytes(job)
    total, limit = full_disk.total_bytes(job.folder), full_disk.largest_file()
    where = str(job.folder)
    if total < state + model:
        raise NoRoom(
            f"what it saves can never fit: {size(state + model)} on a file system of {size(total)}",
            where=where,
            hint="Choose another place with --home DIR, or a smaller backbone.",
        )
    if limit is not None and limit < model:
        raise NoRoom(
            f"its model can never be saved: it takes {size(model)}, files may have {size(limit)} here",
            where=where,
            hint="Raise the limit (ulimit -f), or choose a smaller backbone.",
        )
    # While one is written, those that are kept are there too.
    wanted = (job.recipe.checkpoint.keep + 1) * state + 2 * model - _used(job.folder)
    free = full_disk.free_bytes(job.folder)
    if free < wanted:
        words = f"little room: it will save up to {size(wanted)}, {size(free)} are free in {where}"
        yield Noted(progress.step, "warning", f"{words}; where none is left it waits: delete runs, and empty the trash")


def state_bytes(job: Job) -> int:
    """Return about how many bytes a checkpoint takes: weights, averages, what the optimiser keeps."""
    kept = [weight for group in job.optimiser.param_groups for weight in group["params"]]
    return model_bytes(job) + 2 * _bytes(kept) + _bytes(job.average.weights.values())


def model_bytes(job: Job) -> int:
    """Return about how many bytes a published model takes."""
    return _bytes([*job.model.parameters(), *job.model.buffers()])


def _bytes(tensors: Iterable[torch.Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _used(folder: Path) -> int:
    saved = (path for kind in ("checkpoints", "models") for path in (folder / kind).rglob("*"))
    return sum(path.stat().st_size for path in saved if path.is_file())
