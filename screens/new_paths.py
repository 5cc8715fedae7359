"""What a path that is being typed could become: folders and files on this box."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from workbench.catalog import STARTERS, describe_backbone, why_unusable
from workbench.data.locating import FORMATS, check, scheme_of
from workbench.errors import WorkbenchError
from workbench.recipe import anchor

DATA_SUFFIXES = tuple(f".{ending}" for ending in FORMATS)
SOURCES = ("hub:", "parallel:", "sqlite:")
"""What a source begins with that is no path alone."""

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_LOOKED_AT = 2000
_OFFERED = 60


def completions(typed: str, *, folders_only: bool = False, known: Sequence[str] = ()) -> list[str]:
    """Return what `typed` could become, folders with a slash at their end, sorted.

    `known` are whole values offered where they start as typed; files are offered by the suffixes of data files, behind
    `sqlite:` and `parallel:` all.
    """
    beginnings = () if folders_only or not typed else SOURCES
    offered = [value for value in (*known, *beginnings) if value.startswith(typed) and value != typed]
    scheme, rest = ("", typed) if folders_only else scheme_of(typed)
    if scheme in ("hub", "starter") or "#" in rest:
        return offered[:_OFFERED]
    before, comma, last = rest.rpartition(",") if scheme == "parallel" else ("", "", rest)
    head = f"{scheme}:{before}{comma}" if scheme else ""
    suffixes = ("",) if scheme else DATA_SUFFIXES
    return [*offered, *(head + path for path in _below(last, () if folders_only else suffixes))][:_OFFERED]


def _below(typed: str, suffixes: tuple[str, ...]) -> list[str]:
    """Return the folders and the files with one of some suffixes that a path which is being typed could become."""
    folder_text, part = os.path.split(typed)
    folder = Path(folder_text or ".").expanduser()
    prefix = folder_text if not folder_text or folder_text.endswith("/") else f"{folder_text}/"
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in islice(entries, _LOOKED_AT):
                hidden = entry.name.startswith(".") and not part.startswith(".")
                if not entry.name.startswith(part) or hidden:
                    continue
                if entry.is_dir():
                    found.append(f"{prefix}{entry.name}/")
                elif suffixes and entry.name.lower().removesuffix(".gz").endswith(suffixes):
                    found.append(f"{prefix}{entry.name}")
    except (OSError, ValueError, RuntimeError):
        found = []
    return sorted(found)


def completed(typed: str, offers: Sequence[str]) -> str:
    """Return `typed` extended as far as all offers agree, as a shell's tab does."""
    if not offers:
        return typed
    first, last = min(offers), max(offers)
    agreed = next((at for at, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), len(first))
    common = first[:agreed]
    return common if len(common) > len(typed) and common.startswith(typed) else typed


def known_data(used: Sequence[str]) -> list[str]:
    """Return data sets that can be named at once: those that ship here, then those of earlier runs."""
    starters = [f"starter:{name}" for name in STARTERS]
    return list(dict.fromkeys([*starters, *used]))


def data_problem(typed: str) -> str:
    """Return why a path, or another source, cannot be read as data, or nothing; no file is opened for it."""
    try:
        check(str(anchor({"data": typed.strip()}, Path.cwd())["data"]["train"]))
    except WorkbenchError as error:
        return f"{error.what}. {error.hint}" if error.hint else error.what
    except (OSError, RuntimeError, ValueError) as error:
        return str(error)
    return ""


def backbone_problem(typed: str, task: str, strategy: str) -> str:
    """Return why a folder, Hub id or size cannot be the backbone of this task and strategy, or nothing."""
    text = typed.strip()
    try:
        if text.startswith(("/", ".", "~")) or Path(text).is_dir():
            folder = Path(text).expanduser()
            if not folder.is_dir():
                return "there is no such folder"
            return why_unusable(describe_backbone(folder, text, folder.name, "folder"), task, strategy)
    except (OSError, RuntimeError, ValueError) as error:
        return str(error)
    if text.startswith(("size:", "run:", "starter:")) or _HUB_ID.fullmatch(text):
        return ""
    return "neither a folder nor a Hub id such as google-bert/bert-base-uncased"
