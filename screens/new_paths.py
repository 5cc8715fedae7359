"""What a path that is being typed could become: folders and files on this box."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from workbench.catalog import STARTERS, describe_backbone, why_unusable
from workbench.data.sources import FORMATS, kind_of, locate
from workbench.errors import WorkbenchError

DATA_SUFFIXES = tuple(f".{ending}" for ending in FORMATS)
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_LOOKED_AT = 2000
_OFFERED = 60


def completions(typed: str, *, folders_only: bool = False, known: Sequence[str] = ()) -> list[str]:
    """Return what `typed` could become, folders with a slash at their end, sorted.

    `known` are whole values offered where they start as typed; files are offered by the suffixes of data files.
    """
    offered = [value for value in known if value.startswith(typed) and value != typed]
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
                elif not folders_only and entry.name.lower().removesuffix(".gz").endswith(DATA_SUFFIXES):
                    found.append(f"{prefix}{entry.name}")
    except (OSError, ValueError, RuntimeError):
        found = []
    return [*offered, *sorted(found)][:_OFFERED]


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
    """Return why a path or `starter:NAME` cannot be read as data, or nothing."""
    text = typed.strip()
    try:
        path = locate(text) if text.startswith("starter:") else Path(text).expanduser()
        if path.is_dir():
            return "a folder: go on to a file in it"
        if not path.exists():
            return "there is no such file"
        kind_of(path)
    except WorkbenchError as error:
        return f"{error.what}. {error.hint}"
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
    if text.startswith(("size:", "run:")) or _HUB_ID.fullmatch(text):
        return ""
    return "neither a folder nor a Hub id such as google-bert/bert-base-uncased"
