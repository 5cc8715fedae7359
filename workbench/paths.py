"""Where things live: one folder, the home, readable by its owner alone."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from workbench.errors import WorkbenchError


@dataclass(frozen=True)
class Home:
    """The folder that holds the store and the runs."""

    root: Path

    @property
    def store(self) -> Path:
        return self.root / "workbench.db"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def trash(self) -> Path:
        return self.root / "trash"

    @property
    def moving(self) -> Path:
        """Run folders on their way: `UID.new` becomes a run, `UID.gone` goes to the trash."""
        return self.root / "moving"

    @property
    def slots(self) -> Path:
        """A file for each slot, naming the run that had it last."""
        return self.root / "slots"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    def run_folder(self, uid: str) -> Path:
        """Return the folder of a run; `uid` is an identifier this project made, never a name a person typed."""
        if not uid.isalnum():
            raise ValueError(f"not a run uid: {uid!r}")
        return self.runs / uid

    def count_folders(self) -> int:
        """Return how many runs have a folder here, whatever the store knows of them."""
        return sum(1 for _ in self.runs.glob("*/run.json"))

    def create(self) -> Home:
        """Make the folders, open to their owner alone (0700)."""
        try:
            for folder in (self.root, self.runs, self.trash, self.moving, self.slots, self.cache, self.logs):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise WorkbenchError(
                f"cannot make this folder: {error.strerror}",
                where=str(error.filename or self.root),
                hint="Choose another place with --home DIR or WORKBENCH_HOME.",
            ) from error
        return self


def find_home(explicit: str | None = None) -> Home:
    """Return the home: `explicit` (--home), else WORKBENCH_HOME, else the user's data folder."""
    chosen = explicit or os.environ.get("WORKBENCH_HOME")
    if chosen:
        return Home(Path(chosen).expanduser().resolve())
    from platformdirs import user_data_path

    return Home(user_data_path("workbench", appauthor=False))


def exposures(root: Path) -> list[tuple[str, str]]:
    """Return how others on this box could reach into a home, or put another in its place, each with what mends it."""
    found = []
    if root.exists():
        state = root.stat()
        if state.st_uid != os.getuid():
            found.append((f"{root} belongs to another user", "Choose your own with --home DIR."))
        elif stat.S_IMODE(state.st_mode) & 0o077:
            mode = f"{stat.S_IMODE(state.st_mode):o}"
            found.append((f"{root} is open to other users (mode {mode})", f"Close it: chmod 700 {root}"))
    for folder in root.resolve().parents:
        if not folder.exists():
            continue
        state = folder.stat()
        if state.st_uid not in (0, os.getuid()):
            what = f"{folder} belongs to another user, who can put another folder in the place of {root}"
            found.append((what, "Choose a home below your own folders with --home DIR."))
        elif _others_write(state):
            what = f"{folder} can be written by other users, who can put another folder in the place of {root}"
            found.append((what, f"Close it: chmod go-w {folder}"))
    return found


def _others_write(state: os.stat_result) -> bool:
    """Return whether others than its owner can rename what is in a folder."""
    if state.st_mode & stat.S_ISVTX:
        return False
    return bool(state.st_mode & stat.S_IWOTH) or (bool(state.st_mode & stat.S_IWGRP) and not _is_own(state.st_gid))


def _is_own(group: int) -> bool:
    """Return whether a group is the one that many systems make for each user alone."""
    try:
        found = grp.getgrgid(group)
        return not found.gr_mem and found.gr_name == pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return False
