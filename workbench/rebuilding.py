"""Make the store anew from the folders of the runs: their cards, recipes, histories and journals.

What no folder has (trials, tags, notes, samples, views) is taken over from the old store, as far as it can be read. The
old file is set aside, never deleted. Workers that are alive go on: they find the new store and bring it their rest.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from store import history, points, runs
from store.connection import Store, StoreError, open_store, prepare_apart
from store.inspection import Sight, look_into
from store.schema import VERSION
from store.taking_over import Taken, take_over
from store.write_lock import write_lock
from workbench import recipe
from workbench.errors import WorkbenchError
from workbench.paths import Home
from workbench.recipe import Recipe
from workbench.supervision.dispatch import dispatch_lock
from workbench.supervision.folders import CARD, DESCRIBED
from workbench.training.catching_up import replay

LOCK_SECONDS = 60.0
UNKNOWN_END = "how it ended is not known: its store was lost, and its folder does not say"


@dataclass
class Rebuilt:
    """What came of it: runs made from folders, runs that only the old store had, words on what was left out or lost."""

    runs: int = 0
    taken: Taken = field(default_factory=Taken)
    left_out: list[str] = field(default_factory=list)
    old: Path | None = None


def rebuild(home: Home) -> Rebuilt:
    """Put a store made from the run folders in the place of the old one; raise WorkbenchError where that cannot be."""
    if not any(home.runs.glob("*/")) and not home.store.exists():
        raise WorkbenchError("there are no runs here", where=str(home.runs), hint="Another place: --home DIR.")
    moment = time.strftime("%Y%m%d-%H%M%S")
    beside = home.store.with_name(f".{home.store.stem}.{moment}.{os.getpid()}.db")
    rebuilt = Rebuilt()
    try:
        with dispatch_lock(home):
            prepare_apart(beside)
            with open_store(beside) as store:
                _fill(home, store, rebuilt)
                store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            with write_lock(home.store, LOCK_SECONDS):
                rebuilt.old = _exchange(home.store, beside, moment)
    finally:
        for leaving in beside.parent.glob(f"{beside.name}*"):
            leaving.unlink()
    return rebuilt


def _fill(home: Home, store: Store, rebuilt: Rebuilt) -> None:
    cards = _cards(home, rebuilt)
    numbers = _numbers(cards)
    with _old(home.store, rebuilt) as old:
        known = old.histories if old else set()
        for card in cards:
            folder = home.run_folder(card["uid"])
            # What an earlier version carried out has less in its folder than in the store.
            if card["uid"] in known and _has_begun(folder) and not (folder / history.FILE).exists():
                continue
            _add(store, folder, card, numbers, rebuilt)
        if old:
            taken = take_over(store, old.connection, old.version == VERSION)
            rebuilt.taken = Taken(taken.rows, [*rebuilt.taken.lost, *taken.lost])
        _link_parents(store, cards, numbers)


def _cards(home: Home, rebuilt: Rebuilt) -> list[dict[str, Any]]:
    """Return the cards of all runs, the oldest first; what is no run is said."""
    found = []
    for folder in sorted(home.runs.iterdir()) if home.runs.is_dir() else []:
        try:
            card = json.loads((folder / CARD).read_text(encoding="utf-8"))
            if card["uid"] != folder.name or not isinstance(card["id"], int):
                raise ValueError("it is the card of another run")
        except (OSError, ValueError, KeyError, TypeError) as error:
            if not (folder.name.isalnum() and (folder / "recipe.toml").is_file()):
                rebuilt.left_out.append(f"{folder}: not a run ({error})")
                continue
            rebuilt.left_out.append(f"{folder / CARD}: {error}; its name and number are new")
            card = {"id": None, "uid": folder.name}
        found.append(card)
    return sorted(found, key=lambda card: (card["id"] is None, card["id"], card["uid"]))


def _numbers(cards: list[dict[str, Any]]) -> dict[str, int]:
    """Return the number of each run by uid: that of its card, or a new one where another has it."""
    numbers: dict[str, int] = {}
    highest = max((card["id"] for card in cards if card["id"] is not None), default=0)
    for card in cards:
        if card["id"] is None or card["id"] in numbers.values():
            highest += 1
            numbers[card["uid"]] = highest
        else:
            numbers[card["uid"]] = card["id"]
    return numbers


def _add(store: Store, folder: Path, card: dict[str, Any], numbers: dict[str, int], rebuilt: Rebuilt) -> None:
    """Make one run from its folder."""
    try:
        toml = (folder / "recipe.toml").read_text(encoding="utf-8")
        plan = recipe.loads(toml, str(folder / "recipe.toml"))
    except (OSError, UnicodeDecodeError, WorkbenchError) as error:
        rebuilt.left_out.append(f"{folder}: {str(error).splitlines()[0]}")
        return
    columns = _first_row(folder, card, plan)
    run_id = runs.create(store, plan.flat(), **columns, id=numbers[card["uid"]], recipe=toml, state="queued")
    run = runs.get(store, run_id)
    assert run is not None
    changes = history.changes(folder)
    replay(store, run, folder, changes)
    if not changes and _has_begun(folder):
        with store.write() as connection:
            runs.set_columns(connection, run_id, state="lost", error=UNKNOWN_END)
    run = runs.get(store, run_id)
    assert run is not None
    if not run.active and run.journal:
        points.pack(store, run_id)
        if run.state == "queued":
            points.unpack(store, run_id)
    rebuilt.runs += 1


def _has_begun(folder: Path) -> bool:
    return any(folder.glob("started.*"))


def _first_row(folder: Path, card: dict[str, Any], plan: Recipe) -> dict[str, Any]:
    """Return the row as it was when the run was queued; a card of an earlier version says less of it."""
    derived = {
        "name": plan.label,
        "created": folder.stat().st_mtime,
        "task": plan.task.name,
        "backbone": plan.backbone.name,
        "strategy": plan.strategy.name,
        "dataset": plan.dataset,
        "seed": plan.seed,
        "goal_key": f"eval/{plan.goal}",
        "recipe_hash": plan.hash(),
    }
    return derived | {name: card[name] for name in DESCRIBED if name in card and name != "id"}


def _link_parents(store: Store, cards: list[dict[str, Any]], numbers: dict[str, int]) -> None:
    with store.write() as connection:
        for card in cards:
            parent = numbers.get(card.get("parent_uid") or "")
            if parent is not None:
                sql = "UPDATE run SET parent_id=? WHERE id=? AND EXISTS(SELECT 1 FROM run WHERE id=?)"
                connection.execute(sql, (parent, numbers[card["uid"]], parent))


@dataclass
class _Old:
    connection: sqlite3.Connection
    version: int
    histories: set[str]


@contextmanager
def _old(path: Path, rebuilt: Rebuilt) -> Iterator[_Old | None]:
    """Open the old store as far as it can be read; say why where it cannot."""
    sight: Sight | None = None
    if path.exists() and path.stat().st_size:
        try:
            sight = look_into(path)
        except (StoreError, sqlite3.Error) as error:
            rebuilt.taken.lost.append(f"nothing could be taken over from the old store: {str(error).splitlines()[0]}")
    if sight is None:
        yield None
        return
    try:
        if sight.version > VERSION:
            raise WorkbenchError(sight.warning, hint="Update the workbench, then try again.")
        sight.connection.row_factory = sqlite3.Row
        uids: set[str] = set()
        with suppress(sqlite3.Error):
            # Of all columns: a damaged table may still have a whole index.
            for row in sight.connection.execute("SELECT * FROM run"):
                uids.add(row["uid"])
        yield _Old(sight.connection, sight.version, uids)
    finally:
        sight.connection.close()


def _exchange(path: Path, beside: Path, moment: str) -> Path | None:
    """Set the old store aside with all that belongs to it, and put the new one in its place, under the write lock."""
    aside = path.with_name(f"{path.stem}.aside-{moment}{path.suffix}")
    if aside.exists():
        aside = aside.with_name(f"{aside.stem}.{time.time_ns()}{aside.suffix}")
    there = os.path.lexists(path)
    for suffix in ("", "-wal", "-shm", "-journal"):
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    beside.rename(path)
    for place in (path, path.parent):
        descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    return aside if there else None
