"""What `workbench doctor` looks at: each check is a function that gives findings."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sqlite3
import sys
from collections.abc import Iterator

from store.connection import StoreError, read_store
from store.errors import REBUILD, explained
from store.file_system import file_system_of, is_network
from workbench.box import telemetry
from workbench.box.machine import Finding, device, limits, logout, temporary_files
from workbench.catalog import hub_cache
from workbench.errors import WorkbenchError
from workbench.models import hub
from workbench.paths import Home, exposures
from workbench.supervision import others
from workbench.supervision.lost_gpus import left_out, mark_of
from workbench.supervision.slots import find_slots
from workbench.text import plural, size

FLOORS = {
    "torch": (2, 10),
    "transformers": (5, 3),
    "datasets": (5, 2),
    "accelerate": (1, 15),
    "peft": (0, 21),
    "safetensors": (0, 8),
}
"""The oldest versions without a known security hole or a changed interface."""

LITTLE_DISK = 5 * 2**30
WAL_FIXED = (3, 51, 3)


def examine(home: Home, *, ask_hub: bool = False) -> list[Finding]:
    """Run every check."""
    checks = (
        _python(),
        _packages(),
        device(),
        _slots(home),
        _lost(home),
        logout(),
        limits(),
        temporary_files(),
        _sqlite(),
        _home(home),
        _file_system(home),
        _store(home),
        _hub(ask_hub),
    )
    return [finding for check in checks for finding in check]


def _python() -> Iterator[Finding]:
    yield Finding("ok", "Python", f"{platform.python_version()} in {sys.prefix}")
    yield Finding("ok", "processor", f"{len(os.sched_getaffinity(0))} cores for this process")


def _packages() -> Iterator[Finding]:
    for package, floor in FLOORS.items():
        try:
            version = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            yield Finding("bad", package, "not installed", "Install the workbench again, with its constraints file.")
            continue
        numbers = tuple(int(part) for part in version.split("+")[0].split(".")[:2] if part.isdigit())
        if numbers < floor:
            least = ".".join(map(str, floor))
            yield Finding("bad", package, f"{version}, too old", f"Version {least} or newer is needed.")
        else:
            yield Finding("ok", package, version)


def _slots(home: Home) -> Iterator[Finding]:
    """Say which slots there are, and of each that somebody else uses that queued runs wait for it."""
    slots = find_slots()
    yield Finding("ok", "slots", ", ".join(slot.name for slot in slots) or "none: WORKBENCH_SLOTS names none")
    try:
        with read_store(home.store) as store:
            busy = others.taken(home, store, slots)
    except (StoreError, sqlite3.Error):
        return
    for name, words in busy.items():
        yield Finding("warn", name, words, "No run is put there; queued ones start by themselves when it is free.")


def _lost(home: Home) -> Iterator[Finding]:
    for slot, words in left_out(home).items():
        remedy = (
            "No run is put there. Reset the GPU (nvidia-smi --gpu-reset) or restart the machine, then delete the mark: "
            f"rm {mark_of(home, slot)}"
        )
        yield Finding("warn", slot, words, remedy)


def _sqlite() -> Iterator[Finding]:
    if sqlite3.sqlite_version_info >= WAL_FIXED:
        yield Finding("ok", "SQLite", sqlite3.sqlite_version)
    else:
        words = (
            f"{sqlite3.sqlite_version} has the WAL-reset bug; every commit here goes under one lock, which avoids it"
        )
        yield Finding("ok", "SQLite", words)


def _home(home: Home) -> Iterator[Finding]:
    if not home.root.exists():
        yield Finding("ok", "home", f"{home.root} (not there yet; the first run makes it)")
        return
    found = exposures(home.root)
    yield from (Finding("bad", "home", what, remedy) for what, remedy in found)
    if not os.access(home.root, os.W_OK):
        yield Finding("bad", "home", f"{home.root} cannot be written", "Choose another place with --home DIR.")
    elif not found:
        yield Finding("ok", "home", f"{home.root}, open to you alone")


def _file_system(home: Home) -> Iterator[Finding]:
    place = next(path for path in (home.root, *home.root.parents) if path.exists())
    kind = file_system_of(place)
    if is_network(kind):
        words = f"{kind}, a network file system: the store is kept without a write-ahead log"
        remedy = "Use it from one machine alone, or choose a local disk with --home DIR; models may lie anywhere."
        yield Finding("warn", "file system", words, remedy)
    else:
        yield Finding("ok", "file system", kind or "unknown")
    free = telemetry.disk_free(place)
    if free < LITTLE_DISK:
        remedy = f"Checkpoints need room: delete runs and empty {home.trash}, or use --home."
        yield Finding("warn", "disk", f"{size(free)} free", remedy)
    else:
        yield Finding("ok", "disk", f"{size(free)} free")


def _store(home: Home) -> Iterator[Finding]:
    if not home.store.exists() or not home.store.stat().st_size:
        folders = home.count_folders()
        if folders:
            yield Finding("bad", "store", f"lost; {plural(folders, 'run folder')} left", REBUILD)
        else:
            yield Finding("ok", "store", "not there yet; the first run makes it")
        return
    try:
        with read_store(home.store) as store:
            answer = store.query("PRAGMA quick_check(1)")[0][0]
            count = store.query("SELECT count(*) FROM run")[0][0]
    except (StoreError, sqlite3.Error) as error:
        what, _, hint = explained(error).partition("\n")
        older = "older" in what
        yield Finding("ok" if older else "bad", "store", what, hint)
        return
    if answer != "ok":
        yield Finding("bad", "store", answer, REBUILD)
    elif store.warning:
        yield Finding("warn", "store", store.warning)
    else:
        yield Finding("ok", "store", f"{home.store}, {count} runs")


def _hub(asked: bool) -> Iterator[Finding]:
    cache = hub_cache()
    models = len(list(cache.glob("models--*")))
    yield Finding("ok", "Hub cache", f"{cache}, {models} models" if models else f"{cache}, no models yet")
    if not asked:
        return
    try:
        yield Finding("ok", "Hub", f"{hub.host()} answers within {hub.answers_within():.1f} s")
    except WorkbenchError as error:
        remedy = "Runs do not need it. Models and data are taken from the cache: copy them there. Is HF_ENDPOINT right?"
        yield Finding("warn", "Hub", error.what, remedy)
