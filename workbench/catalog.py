"""What can be picked, one line of help each: tasks, strategies, backbones on this box. Light: no torch."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from store import runs
from store.connection import StoreError, read_store
from workbench import strategies, tasks
from workbench.abilities import why_unable
from workbench.models import files as model_files
from workbench.models.handover import newest_model
from workbench.paths import Home


@dataclass(frozen=True)
class Size:
    """A small architecture (the sizes of Turc et al. 2019 for BERT): as many layers for each side that it has."""

    layers: int
    hidden: int
    heads: int
    vocabulary: int = 8000

    @property
    def parameters(self) -> int:
        """Roughly how many weights: embeddings and layers, without the head."""
        return self.vocabulary * self.hidden + self.layers * 12 * self.hidden**2


@dataclass(frozen=True)
class BackboneCard:
    """A model that can be picked; `parameters` and `bytes` are None where unknown, `problem` says why it cannot be."""

    name: str
    title: str
    architecture: str
    parameters: int | None
    bytes: int | None
    where: str
    problem: str = ""


RUNS_OFFERED = 50
"""How many models of runs are offered, the newest runs first."""

TASKS = {name: task.card for name, task in tasks.TASKS.items()}
STRATEGIES = {name: strategy.card for name, strategy in strategies.STRATEGIES.items()}

SIZES: dict[str, Size] = {
    "tiny": Size(layers=2, hidden=128, heads=2),
    "mini": Size(layers=4, hidden=256, heads=4),
    "small": Size(layers=4, hidden=512, heads=8),
}

STARTER_FOLDER = Path(__file__).parent / "starter"
STARTER = "starter:"
STARTERS = tuple(sorted(folder.name for folder in STARTER_FOLDER.glob("*") if any(folder.glob("train.*"))))
"""The data sets that ship with the workbench."""


def why_senseless(task: str, strategy: str, backbone: str) -> str:
    """Return why a strategy makes no sense for a task and a backbone, or nothing where it does."""
    if task not in TASKS or strategy not in STRATEGIES:
        return ""
    reason = strategies.STRATEGIES[strategy].why_not(TASKS[task])
    if reason:
        return reason
    if backbone.startswith("size:") and STRATEGIES[strategy].partial:
        return f"most of {backbone} would stay frozen at random: take a pretrained backbone"
    return ""


def why_unusable(card: BackboneCard, task: str, strategy: str) -> str:
    """Return why a backbone cannot be used for a task by a strategy, or nothing where it can."""
    if card.architecture == "?":
        return card.problem
    if not card.name.startswith("size:") and task in tasks.TASKS:
        unable = why_unable(tasks.TASKS[task].auto, card.architecture)
        if unable:
            return unable
    # Without pretrained weights only the architecture is needed.
    return card.problem if strategy not in STRATEGIES or STRATEGIES[strategy].pretrained else ""


def backbones(folders: tuple[Path, ...] = (), home: Home | None = None) -> list[BackboneCard]:
    """Return the backbones on this box: the Hub's cache and model folders below `folders`, the best models of the
    newest runs of `home`, then what ships with the workbench, and sizes without weights."""
    found = [*_cached(), *(card for folder in folders for card in _below(folder))]
    sizes = [
        BackboneCard(f"size:{name}", f"{name}, no weights", "bert", size.parameters, None, "made here")
        for name, size in SIZES.items()
    ]
    ordered = sorted(found, key=lambda card: card.title.lower())
    return [*ordered, *(_of_runs(home) if home else ()), *_shipped(), *sizes]


def describe_backbone(folder: Path, name: str, title: str, where: str) -> BackboneCard:
    """Read a model folder's config and weight headers; what cannot be used says why."""
    try:
        unsafe = model_files.why_unsafe(folder)
        config = {} if unsafe else model_files.read_config(folder)
    except ValueError as error:
        unsafe = str(error)
    if unsafe:
        return BackboneCard(name, title, "?", None, None, where, unsafe)
    architecture = config["model_type"]
    try:
        if method := model_files.is_quantized(folder):
            raise ValueError(f"its weights are quantized ({method}): take the model that they were made from")
        weights = model_files.weight_files(folder)
        parameters = model_files.count_parameters(weights, config)
        size = sum(file.stat().st_size for file in weights)
    except (OSError, ValueError) as error:
        return BackboneCard(name, title, architecture, None, None, where, str(error))
    return BackboneCard(name, title, architecture, parameters, size, where)


def hub_cache() -> Path:
    """Return the folder in which the Hub's libraries keep what they fetched."""
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "huggingface"
    return Path(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub")


def cached_snapshot(name: str, revision: str | None = None) -> Path | None:
    """Return the cached folder of a Hub id at a branch, tag or commit, if it is there."""
    repository = hub_cache() / f"models--{name.replace('/', '--')}"
    reference = repository / "refs" / (revision or "main")
    try:
        commit = reference.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        commit = revision or ""
    snapshot = repository / "snapshots" / commit
    # A revision is somebody's word, and no way out of the folder.
    inside = (repository / "snapshots").resolve() == snapshot.resolve().parent
    return snapshot if commit and inside and snapshot.is_dir() else None


def _cached() -> Iterator[BackboneCard]:
    for repository in sorted(hub_cache().glob("models--*")):
        name = repository.name.removeprefix("models--").replace("--", "/")
        snapshot = cached_snapshot(name)
        if snapshot and (snapshot / "config.json").exists():
            yield describe_backbone(snapshot, name, name, "cached")


def _of_runs(home: Home) -> Iterator[BackboneCard]:
    try:
        with read_store(home.store) as store:
            listed = runs.listing(store)
    except (StoreError, sqlite3.Error):
        return
    models = ((run, newest_model(home.run_folder(run.uid))) for run in listed)
    for run, folder in islice(((run, folder) for run, folder in models if folder is not None), RUNS_OFFERED):
        yield describe_backbone(folder, f"run:{run.uid}", f"#{run.id} {run.name} · best model", "run")


def _shipped() -> Iterator[BackboneCard]:
    for folder in sorted(STARTER_FOLDER.glob("*")):
        if (folder / "config.json").exists():
            name = f"{STARTER}{folder.name}"
            yield describe_backbone(folder, name, name, "ships with this")


def _below(folder: Path) -> Iterator[BackboneCard]:
    candidates = [folder, *sorted(path for path in folder.glob("*") if path.is_dir())] if folder.is_dir() else []
    for path in candidates:
        if (path / "config.json").exists():
            yield describe_backbone(path, str(path), path.name, "folder")
