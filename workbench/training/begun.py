"""What a run began with, kept in its folder: later attempts are held to the same threads, data and tokens."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.data.features import Feature
from workbench.data.prepare import Prepared
from workbench.errors import WorkbenchError
from workbench.models.handover import BEGUN
from workbench.recipe import Recipe

if TYPE_CHECKING:
    import torch

PACKAGES = ("torch", "transformers", "datasets", "accelerate", "peft", "tokenizers", "safetensors")


def choose_threads(recipe: Recipe, folder: Path) -> int:
    """Return how many processor threads to use: the recipe's, else what the first attempt found free.

    Another number of threads gives other last digits, so the first choice is kept in the run folder.
    """
    return recipe.hardware.threads or int(_as_at_first(folder, "threads", free_cores))


def _as_at_first(folder: Path, key: str, find: Callable[[], Any]) -> Any:
    """Return what the first attempt found, kept in the run folder; the first attempt finds it."""
    file = folder / BEGUN
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        kept = {}
    if key not in kept:
        kept[key] = find()
        beside = file.with_name(f".{file.name}")
        beside.write_text(json.dumps(kept), encoding="utf-8")
        beside.replace(file)
    return kept[key]


def refuse_other_data(recipe: Recipe, folder: Path, data: Prepared) -> None:
    """Raise a WorkbenchError where the data are not those that the run began with."""
    if _as_at_first(folder, "data", lambda: data.fingerprint) != data.fingerprint:
        raise WorkbenchError(
            "the data are not those that this run began with",
            where=recipe.data.train,
            hint="Put the earlier files back, or start a new run with these.",
        )


def refuse_other_tokens(recipe: Recipe, folder: Path, train: Sequence[Feature]) -> None:
    """Raise a WorkbenchError where the same rows are other tokens than those that the run began with."""
    tokens = digest_of_tokens(train)
    if _as_at_first(folder, "tokens", lambda: tokens) != tokens:
        raise WorkbenchError(
            "the backbone's tokenizer is not the one that this run began with",
            where=f"backbone.name: {recipe.backbone.name}",
            hint="Put its earlier files back, or start a new run.",
        )


def digest_of_tokens(features: Sequence[Feature]) -> str:
    """Return 16 hex digits that are equal for equal tokens."""
    return hashlib.sha256(b"".join(array("q", each.ids).tobytes() + b"|" for each in features)).hexdigest()[:16]


def free_cores() -> int:
    """Return how many of the cores that this process may use are idle, at least one; takes 0.3 s."""
    import psutil

    cores = len(os.sched_getaffinity(0))
    return max(1, round(cores * (1 - psutil.cpu_percent(interval=0.3) / 100)))


def versions(device: torch.device) -> dict[str, Any]:
    """Return what the result may depend on beside the recipe."""
    import torch

    found: dict[str, Any] = {package: importlib.metadata.version(package) for package in PACKAGES}
    found |= {"python": platform.python_version(), "threads": torch.get_num_threads()}
    # Which kernels compute depends on what the processor can do.
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else torch.backends.cpu.get_cpu_capability()
    return found | {"device": f"{device.type} {where}"}
