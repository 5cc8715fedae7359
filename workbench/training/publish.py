"""Put a folder in place so that a crash at any moment leaves the old one or the new one, never half of either.

Written beside, synced, listed with size and SHA-256 in a manifest, synced, renamed, the parent synced.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from workbench.errors import WorkbenchError
from workbench.training.failpoints import failpoint

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Published:
    """`sha256` is that of the manifest, which names those of the files."""

    path: Path
    bytes: int
    sha256: str


def publish(final: Path, write: Callable[[Path], None], *, read_only: bool = False) -> Published:
    """Let `write` fill a new folder, then put it in the place of `final`. A good folder of that name stays."""
    if final.exists():
        if verify(final):
            return _describe(final)
        set_aside(final)
    beside = final.with_name(f".tmp-{final.name}")
    _clear(beside)
    final.parent.mkdir(exist_ok=True, mode=0o700)
    beside.mkdir(mode=0o700)
    try:
        _fill(beside, write, 0o400 if read_only else 0o600)
        failpoint("publish.before_rename")
        beside.rename(final)
    except BaseException:
        # Nothing takes up room that is no use: the disk may be full.
        _clear(beside)
        raise
    failpoint("publish.after_rename")
    # Their own parent too: it may be as new as they are.
    for folder in (final.parent, final.parent.parent):
        _sync(folder)
    return _describe(final)


def _fill(beside: Path, write: Callable[[Path], None], mode: int) -> None:
    """Let `write` fill a folder, and bring it to the disk with a manifest of what is in it."""
    failpoint("publish.begin")
    write(beside)
    failpoint("publish.written")
    manifest = {}
    for file in sorted(path for path in beside.rglob("*") if path.is_file()):
        _sync(file)
        manifest[str(file.relative_to(beside))] = {"bytes": file.stat().st_size, "sha256": _sha256(file)}
        file.chmod(mode)
        failpoint("publish.hashed")
    listing = beside / MANIFEST
    listing.write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    listing.chmod(mode)
    _sync(listing)
    for folder in (*(path for path in beside.rglob("*") if path.is_dir()), beside):
        _sync(folder)


def _clear(path: Path) -> None:
    """Delete a leaving of a crash, whatever it is."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    shutil.rmtree(path, ignore_errors=True)


def verify(folder: Path, needed: Collection[str] = ()) -> bool:
    """Return whether every file is there with the size and SHA-256 of the manifest, and those `needed` are in it."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return (
            bool(manifest)
            and manifest.keys() >= set(needed)
            and all(
                (folder / name).stat().st_size == entry["bytes"] and _sha256(folder / name) == entry["sha256"]
                for name, entry in manifest.items()
            )
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def refuse_damaged(folder: Path) -> None:
    """Raise a WorkbenchError where a folder that was published here is not as it was then; of another say nothing."""
    if (folder / MANIFEST).exists() and not verify(folder):
        raise WorkbenchError(
            "its files are not those of its manifest: damaged since it was published",
            where=str(folder),
            hint="Put the files back from a copy, or train it again.",
        )


def newest_valid(parent: Path, broken: list[str], needed: Collection[str] = ()) -> Path | None:
    """Return the newest `step-…` folder that verifies and has what is `needed`.

    A broken one is set aside, and its name added to `broken`.
    """
    for folder in reversed(step_folders(parent)):
        if verify(folder, needed):
            return folder
        set_aside(folder)
        broken.append(folder.name)
    return None


def newest_readable(parent: Path) -> Path | None:
    """Return the newest `step-…` folder that verifies, changing nothing: for readers beside a writer."""
    return next((folder for folder in reversed(step_folders(parent)) if verify(folder)), None)


def set_aside(folder: Path) -> None:
    """Rename a folder that does not verify; it is never read again."""
    folder.rename(folder.with_name(f"bad-{folder.name}-{time.time_ns()}"))


def prune(parent: Path, keep: int) -> list[int]:
    """Delete all but the newest `keep` folders and the leavings of crashes; return the steps that remain."""
    for junk in parent.glob(".tmp-*"):
        _clear(junk)
    folders = step_folders(parent)
    for folder in folders[:-keep]:
        shutil.rmtree(folder, ignore_errors=True)
        failpoint("publish.pruned")
    return [step_of(folder) for folder in folders[-keep:]]


def step_folders(parent: Path) -> list[Path]:
    """Return the folders of steps, the earliest first; what is only called like one is none."""
    named = (path for path in parent.glob("step-*") if path.name.removeprefix("step-").isdecimal() and path.is_dir())
    return sorted(named, key=step_of)


def step_folder(parent: Path, step: int) -> Path:
    """Return the folder of a step."""
    return parent / f"step-{step:08d}"


def step_of(folder: Path) -> int:
    """Return the step that a folder is of."""
    return int(folder.name.removeprefix("step-"))


def _describe(folder: Path) -> Published:
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return Published(folder, size, _sha256(folder / MANIFEST))


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
