"""What `workbench doctor` looks at: each check is a function that gives findings."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sqlite3
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from store.connection import StoreError, read_store
from store.errors import REBUILD, explained
from store.file_system import file_system_of, is_network
from workbench import telemetry
from workbench.catalog import hub_cache
from workbench.paths import Home
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


@dataclass(frozen=True)
class Finding:
    """`level` is ok, warn or bad; `remedy` says what to do where there is something to do."""

    level: str
    subject: str
    found: str
    remedy: str = ""


def examine(home: Home) -> list[Finding]:
    """Run every check."""
    checks = (_python(), _packages(), _device(), _sqlite(), _home(home), _file_system(home), _store(home), _hub())
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


def _device() -> Iterator[Finding]:
    words = telemetry.describe_device()
    if words.startswith("no GPU"):
        yield Finding("warn", "GPU", words, "Training runs on the processor; small models are fine there.")
    else:
        yield Finding("ok", "GPU", words)


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
    state = home.root.stat()
    mode = stat.S_IMODE(state.st_mode)
    if state.st_uid != os.getuid():
        yield Finding("bad", "home", f"{home.root} belongs to another user", "Choose your own with --home DIR.")
    elif mode & 0o077:
        remedy = f"Close it: chmod 700 {home.root}"
        yield Finding("bad", "home", f"{home.root} is open to other users (mode {mode:o})", remedy)
    elif not os.access(home.root, os.W_OK):
        yield Finding("bad", "home", f"{home.root} cannot be written", "Choose another place with --home DIR.")
    else:
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
        folders = sum(1 for _ in home.runs.glob("*/run.json"))
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


def _hub() -> Iterator[Finding]:
    cache = hub_cache()
    models = len(list(cache.glob("models--*")))
    yield Finding("ok", "Hub cache", f"{cache}, {models} models" if models else f"{cache}, no models yet")
