"""What `workbench doctor` looks at: each check is a function that gives findings."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sqlite3
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from store.connection import StoreError, is_current, read_store
from workbench import telemetry
from workbench.box import Finding, device, limits, logout, temporary_files
from workbench.catalog import hub_cache
from workbench.paths import Home
from workbench.supervision.lost_gpus import left_out, mark_of
from workbench.text import size

FLOORS = {
    "torch": (2, 10),
    "transformers": (5, 3),
    "datasets": (5, 2),
    "accelerate": (1, 15),
    "peft": (0, 21),
    "safetensors": (0, 8),
}
"""The oldest versions without a known security hole or a changed interface."""

NETWORK_FILE_SYSTEMS = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "lustre", "gpfs", "beegfs", "fuse.sshfs", "9p", "afs")
LITTLE_DISK = 5 * 2**30
WAL_FIXED = (3, 51, 3)


def examine(home: Home) -> list[Finding]:
    """Run every check."""
    checks = (
        _python(),
        _packages(),
        device(),
        _lost(home),
        logout(),
        limits(),
        temporary_files(),
        _sqlite(),
        _home(home),
        _file_system(home),
        _store(home),
        _hub(),
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
    if kind in NETWORK_FILE_SYSTEMS:
        remedy = "SQLite and locks are not safe there: choose a local disk with --home DIR."
        yield Finding("bad", "file system", f"{kind}, a network file system", remedy)
    else:
        yield Finding("ok", "file system", kind or "unknown")
    free = telemetry.disk_free(place)
    if free < LITTLE_DISK:
        remedy = f"Checkpoints need room: delete runs and empty {home.trash}, or use --home."
        yield Finding("warn", "disk", f"{size(free)} free", remedy)
    else:
        yield Finding("ok", "disk", f"{size(free)} free")


def file_system_of(place: Path) -> str:
    """Return the type of the file system that holds a path, or nothing where the kernel does not say."""
    try:
        mounts = [line.split()[1:3] for line in Path("/proc/self/mounts").read_text().splitlines()]
    except OSError:
        return ""
    resolved = place.resolve()
    holding = [(point, kind) for point, kind in mounts if resolved.is_relative_to(point.replace("\\040", " "))]
    return max(holding, key=lambda mount: len(mount[0]), default=("", ""))[1]


def _store(home: Home) -> Iterator[Finding]:
    try:
        if not is_current(home.store):
            words = (
                "older, migrated at the next start" if home.store.exists() else "not there yet; the first run makes it"
            )
            yield Finding("ok", "store", words)
            return
        with read_store(home.store) as store:
            answer = store.query("PRAGMA quick_check(1)")[0][0]
            count = store.query("SELECT count(*) FROM run")[0][0]
    except (StoreError, sqlite3.Error) as error:
        yield Finding("bad", "store", str(error), "Move the file aside, or choose another place with --home DIR.")
        return
    if answer == "ok":
        yield Finding("ok", "store", f"{home.store}, {count} runs")
    else:
        yield Finding("bad", "store", answer, "Copy the file aside before anything else.")


def _hub() -> Iterator[Finding]:
    cache = hub_cache()
    models = len(list(cache.glob("models--*")))
    yield Finding("ok", "Hub cache", f"{cache}, {models} models" if models else f"{cache}, no models yet")
