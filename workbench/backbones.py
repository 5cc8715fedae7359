"""Find a backbone: its folder on this box, fetched from the Hub where it is not here yet."""

from __future__ import annotations

from pathlib import Path

from workbench.catalog import STARTER, STARTER_FOLDER, BackboneCard, cached_snapshot, describe_backbone, why_unusable
from workbench.errors import WorkbenchError
from workbench.recipe import Recipe

FILES = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")
"""What is fetched of a Hub model: no pickles, no code."""


def find_backbone(recipe: Recipe) -> Path:
    """Return the folder of a recipe's backbone; raise a WorkbenchError where it is missing or cannot be used.

    A name that is no folder is a Hub id: from the cache where it is there, else fetched.
    """
    name = recipe.backbone.name
    folder = find_model(name, recipe.backbone.revision, "backbone.name")
    card = describe_backbone(folder, name, folder.name, "")
    problem = why_unusable(card, recipe.task.name, recipe.strategy.name)
    if problem:
        raise WorkbenchError(problem, where=f"backbone.name: {name}", hint=_hint(card, problem, recipe))
    return folder


def find_model(name: str, revision: str | None, setting: str) -> Path:
    """Return the folder of a model that `setting` names: a folder, or a Hub id.

    Raise a WorkbenchError where it is missing.
    """
    if name.startswith(STARTER):
        folder: Path | None = STARTER_FOLDER / Path(name.removeprefix(STARTER)).name
    else:
        folder = Path(name) if name.startswith("/") else cached_snapshot(name, revision)
    if folder is None:
        folder = _fetch(name, revision, setting)
    if not folder.is_dir():
        raise WorkbenchError("there is no such folder", where=f"{setting}: {name}")
    return folder


def _hint(card: BackboneCard, problem: str, recipe: Recipe) -> str:
    if card.architecture == "?":
        return "Name a model folder or a Hub id."
    if problem == card.problem:
        return "Weights are needed as safetensors; strategy scratch needs only the configuration."
    return f"Pick another backbone for {recipe.task.name}: the New screen shows which can do it."


def _fetch(name: str, revision: str | None, setting: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=list(FILES), etag_timeout=10))
    except HFValidationError as error:
        raise WorkbenchError(
            "neither a folder nor a Hub id", where=f"{setting}: {name}", hint="Example: bert-base-uncased."
        ) from error
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WorkbenchError(
            f"not in the local cache, and the Hub does not give it: {reason}",
            where=f"{setting}: {name}",
            hint="Copy the model to a folder on this box and name the folder, or pick a size: (architecture alone).",
        ) from error
