"""Where the rows of a source stand: a file, a folder with files of splits, a set that ships here. Light."""

from __future__ import annotations

import json
import re
from pathlib import Path

from workbench.catalog import STARTER_FOLDER, STARTERS
from workbench.errors import WorkbenchError

FORMATS = {
    "csv": "csv", "tsv": "tsv", "jsonl": "jsonl", "ndjson": "jsonl", "json": "json", "parquet": "parquet",
    "arrow": "arrow", "txt": "text", "text": "text", "conll": "conll", "iob": "conll", "bio": "conll",
    "conllu": "conllu",
}  # fmt: skip
"""The ending of a file's name → what reads it."""

SPLITS = {"train": ("train",), "validation": ("validation", "valid", "dev", "val"), "test": ("test",)}
"""What the parts of a data set go by, in small letters."""

SCHEMES = ("starter", "parallel", "sqlite", "hub")
"""What stands before the colon of a source that is no path."""

QUERY_HINT = "Example: sqlite:reviews.db#SELECT body, label FROM review"

_HUB = re.compile(
    r"(?P<owner>[A-Za-z0-9][\w.-]*)/(?P<name>[A-Za-z0-9][\w.-]*)(?:@(?P<revision>[^@#]+))?(?:#(?P<config>[^#]+))?"
)


def check(source: str) -> None:
    """Raise a WorkbenchError where a source names no file of a known format, no id, or no query; nothing is read."""
    scheme, rest = scheme_of(source)
    if scheme == "hub":
        hub_id(rest)
    elif scheme == "parallel":
        for file in parallel_files(rest):
            existing(file)
    elif scheme == "sqlite":
        file, query = sqlite_parts(rest)
        existing(file)
        if not query.strip():
            raise WorkbenchError("there is no query", where=f"sqlite:{file}", hint=QUERY_HINT, code="bad-query")
    else:
        path = locate(source)
        if path.is_file():
            kind_of(path)


def scheme_of(source: str) -> tuple[str, str]:
    """Return the scheme of a source and what follows it; a path has none."""
    scheme, colon, rest = source.partition(":")
    return (scheme, rest) if colon and scheme in SCHEMES else ("", source)


def locate(source: str, split: str = "train") -> Path:
    """Return the file, or the folder that `save_to_disk` wrote, that has a split of a path or of `starter:NAME`.

    A file is all its splits. Raise a WorkbenchError where there is none.
    """
    scheme, rest = scheme_of(source)
    path = _starter(rest) if scheme == "starter" else Path(rest)
    if not _look_up(path).is_dir():
        return existing(path)
    found = _parts(path, split)
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(file.name for file in found)
        raise WorkbenchError(
            f"the folder has several {split} files: {names}", str(path), "Name the file itself.", code="several-files"
        )
    raise WorkbenchError(
        f"the folder has no {split} file",
        where=str(path),
        hint=f"Name the file itself, or call it {split}.jsonl.",
        code="missing-file",
    )


def has_split(source: str, split: str) -> bool:
    """Return whether a folder or `starter:NAME` has a split of its own."""
    scheme, rest = scheme_of(source)
    path = _starter(rest) if scheme == "starter" else Path(rest)
    return _look_up(path).is_dir() and not is_saved_alone(path) and bool(_parts(path, split))


def beside(source: str, name: str) -> Path | None:
    """Return the file of this name that stands with the rows of a source, or None."""
    scheme, rest = scheme_of(source)
    if scheme not in ("", "starter"):
        return None
    path = _starter(rest) if scheme == "starter" else Path(rest)
    file = path / name if path.is_dir() else path.parent / name
    return file if file.is_file() else None


def kind_of(path: Path) -> str:
    """Return what reads this file, such as csv; by its ending, `.gz` left out."""
    if _ending(path) not in FORMATS:
        known = ", ".join(f".{ending}" for ending in FORMATS)
        raise WorkbenchError(
            "cannot tell the format from the file's name",
            where=str(path),
            hint=f"Known endings: {known}, also with .gz.",
            code="unknown-format",
        )
    return FORMATS[_ending(path)]


def is_saved_alone(path: Path) -> bool:
    """Return whether a folder is one data set without splits, as `save_to_disk` writes it."""
    return (path / "state.json").is_file() and (path / "dataset_info.json").is_file()


def parallel_files(rest: str) -> tuple[Path, Path]:
    """Return the two files of `parallel:FILE,FILE`."""
    first, second = pair_of(rest)
    if not first or not second:
        raise WorkbenchError(
            "two files are needed",
            where=f"parallel:{rest}",
            hint="Example: parallel:train.en,train.de",
            code="unequal-files",
        )
    return Path(first), Path(second)


def pair_of(text: str, base: Path = Path()) -> tuple[str, str]:
    """Return what stands before and behind the comma; of several that at which both files are there, from `base`."""
    pieces = text.split(",")
    cuts = [(",".join(pieces[:cut]).strip(), ",".join(pieces[cut:]).strip()) for cut in range(1, len(pieces))]
    there = (cut for cut in cuts if all((base / Path(file).expanduser()).is_file() for file in cut))
    return next(there, cuts[0] if cuts else (text, ""))


def sqlite_parts(rest: str) -> tuple[Path, str]:
    """Return the file and the query of `sqlite:FILE#QUERY`."""
    file, _, query = rest.partition("#")
    return Path(file), query


def hub_id(rest: str) -> re.Match[str]:
    """Return the owner, name, revision and config of `hub:OWNER/NAME[@REVISION][#CONFIG]`."""
    match = _HUB.fullmatch(rest)
    if match is None:
        raise WorkbenchError(
            "not an id of a data set",
            where=f"hub:{rest}",
            hint="Write hub:OWNER/NAME, hub:OWNER/NAME@REVISION#CONFIG.",
            code="hub",
        )
    return match


def existing(path: Path) -> Path:
    """Return the path of a file; raise a WorkbenchError where there is none."""
    if not _look_up(path).exists():
        raise WorkbenchError(
            "there is no such file", where=str(path), hint="Check data.train and data.validation.", code="missing-file"
        )
    if not path.is_file():
        raise WorkbenchError(
            "not a file", where=str(path), hint="Name the file itself, for example train.jsonl.", code="missing-file"
        )
    return path


def _starter(name: str) -> Path:
    if name not in STARTERS:
        raise WorkbenchError(
            f"no starter set {name!r}",
            where="data.train",
            hint=f"There are: {', '.join(STARTERS)}.",
            code="missing-file",
        )
    return STARTER_FOLDER / name


def _look_up(path: Path) -> Path:
    try:
        path.stat()
    except FileNotFoundError:
        return path
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise WorkbenchError(f"cannot be looked up: {reason}", where=str(path)[:200], code="missing-file") from error
    return path


def _parts(folder: Path, split: str) -> list[Path]:
    """Return the files of a folder that hold a split, or the saved data set that does."""
    if is_saved_alone(folder):
        return [folder]
    names = SPLITS[split]
    splits = folder / "dataset_dict.json"
    try:
        if splits.is_file():
            saved = json.loads(splits.read_text(encoding="utf-8"))["splits"]
            return [folder / name for name in saved if name in names]
        files = sorted(path for path in folder.iterdir() if path.is_file() and _ending(path) in FORMATS)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WorkbenchError(f"the folder cannot be read: {error}", where=str(folder), code="missing-file") from error
    return [file for file in files if file.name.split(".")[0].lower() in names]


def _ending(path: Path) -> str:
    """Return the last ending in small letters, without its dot, `.gz` left out; nothing where there is none."""
    endings = [ending.removeprefix(".").lower() for ending in path.suffixes]
    return next((ending for ending in reversed(endings[-2:]) if ending != "gz"), "")
