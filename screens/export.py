"""Write what a place shows to a file in the current folder, never over one that is there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from workbench.errors import WorkbenchError


def write_new(stem: str, run_ids: Sequence[int], text: str, folder: Path | None = None) -> Path:
    """Write `text` as stem-31-30.csv, or with -2, -3 … behind it; return where.

    Raise a WorkbenchError where the folder cannot be written.
    """
    folder = folder or Path.cwd()
    name = "-".join([stem, *map(str, run_ids[:6])])
    for number in range(1, 1000):
        path = folder / (f"{name}.csv" if number == 1 else f"{name}-{number}.csv")
        try:
            with path.open("x", encoding="utf-8", newline="") as file:
                file.write(text)
        except FileExistsError:
            continue
        except OSError as error:
            raise WorkbenchError(f"cannot be written: {error.strerror}", where=str(path)) from error
        return path
    raise WorkbenchError("a thousand such files are there already", where=str(folder))
