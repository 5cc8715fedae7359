"""Rows of a data set of the Hub, from the cache: see `workbench.hub` for who puts them there."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.catalog import hub_cache
from workbench.data.locating import SPLITS, hub_id
from workbench.data.readers.arrow import content_of_dataset
from workbench.data.table import Content
from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    from datasets import DatasetBuilder


def read_hub(rest: str, cache: Path, split: str) -> Content:
    """Return the rows of a split of `OWNER/NAME[@REVISION][#CONFIG]`, which was fetched into `cache`."""
    builder = _builder(rest, cache)
    name = _split_name(builder, split)
    if name is None:
        known = ", ".join(builder.info.splits or ()) or "none"
        raise WorkbenchError(
            f"the data set has no {split} split", where=f"hub:{rest}", hint=f"Its splits: {known}.", code="hub"
        )
    content = content_of_dataset(builder.as_dataset(split=name))
    note = f"split {name} of {builder.config.name} at revision {str(builder.hash)[:12]}"
    return Content(content.data, notes=[note], names=content.names)


def has_split(rest: str, cache: Path, split: str) -> bool:
    """Return whether a data set of the Hub has a split of its own."""
    return _split_name(_builder(rest, cache), split) is not None


def _split_name(builder: DatasetBuilder, split: str) -> str | None:
    return next((name for name in SPLITS[split] if name in (builder.info.splits or ())), None)


@lru_cache(maxsize=8)
def _builder(rest: str, cache: Path) -> DatasetBuilder:
    """Return what gives the splits; this process is offline."""
    import datasets

    match = hub_id(rest)
    # Who used the library before has the rows in its own cache.
    own = Path(datasets.config.HF_DATASETS_CACHE)
    try:
        builder = fetch(match, cache)
    except Exception as error:
        if not any(own.glob(f"{match['owner']}___*")):
            raise _refusal(rest, cache, error) from error
        try:
            builder = fetch(match, own)
        except Exception:
            raise _refusal(rest, cache, error) from error
    if match["revision"] and _is_cached(builder):
        _check_revision(match, str(builder.hash), cache)
    return builder


def fetch(match: re.Match[str], cache: Path) -> DatasetBuilder:
    """Return what gives the splits of a data set, fetched into `cache` where the process has the net."""
    import datasets

    datasets.disable_progress_bars()
    # Said so, a folder of that name where the process runs is not taken for the data set.
    name = f"hf://datasets/{match['owner']}/{match['name']}"
    # Offline the library does not know which config is the usual one.
    usual = cache / "hub" / f"{match['owner']}--{match['name']}"
    config = match["config"]
    if not config and datasets.config.HF_HUB_OFFLINE and usual.is_file():
        config = usual.read_text(encoding="utf-8")
    builder = datasets.load_dataset_builder(name, config, revision=match["revision"], cache_dir=str(cache))
    builder.download_and_prepare()
    if not config and not _is_cached(builder):
        usual.parent.mkdir(parents=True, exist_ok=True)
        usual.write_text(builder.config.name, encoding="utf-8")
    return builder


def _is_cached(builder: DatasetBuilder) -> bool:
    from datasets.packaged_modules.cache.cache import Cache

    return isinstance(builder, Cache)


def _check_revision(match: re.Match[str], found: str, cache: Path) -> None:
    """Raise a WorkbenchError where the cache gave another revision than asked for: the library takes the latest."""
    asked = match["revision"]
    reference = hub_cache() / f"datasets--{match['owner']}--{match['name']}" / "refs" / asked
    try:
        commit = reference.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        commit = asked
    if found != commit:
        raise WorkbenchError(
            f"the Hub is out of reach, and the cache in {cache} has revision {found[:12]}, not {asked[:12]}",
            where=f"hub:{match[0]}",
            hint="Check the recipe where the Hub can be reached: workbench train FILE --check",
            code="hub",
        )


def _refusal(rest: str, cache: Path, error: Exception) -> WorkbenchError:
    words = str(error).splitlines()[0] if str(error) else type(error).__name__
    return WorkbenchError(
        f"neither the Hub nor the cache in {cache} gives it: {words}",
        where=f"hub:{rest}",
        hint="Check the recipe where the Hub can be reached: workbench train FILE --check. "
        "Or copy the files to a folder on this box and name that.",
        code="hub",
    )
