"""Plain text, one row a line; and two such files whose lines belong together."""

from __future__ import annotations

from pathlib import Path

from workbench.data.decoding import Text, load_text
from workbench.data.table import Content
from workbench.errors import WorkbenchError
from workbench.text import count, plural


def read_lines(text: Text, path: Path) -> Content:
    """Return the column `text`: the lines, blank ones left out."""
    lines = [line for _, line in text.lines()]
    kept = [line for line in lines if line.strip()]
    blank = len(lines) - len(kept)
    notes = [f"{plural(blank, 'blank line')} left out"] if blank else []
    return Content({"text": kept}, text.encoding, [*text.notes, *notes])


def read_parallel(first: Path, second: Path) -> Content:
    """Return two columns, the lines of two files, called by the part of the names that differs.

    Lines that are blank in both files are left out; raise a WorkbenchError where one file has more lines.
    """
    texts = load_text(first), load_text(second)
    sides = [[line for _, line in text.lines()] for text in texts]
    if len(sides[0]) != len(sides[1]):
        raise WorkbenchError(
            f"{first.name} has {plural(len(sides[0]), 'line')}, {second.name} {count(len(sides[1]))}",
            where=f"{first},{second}",
            hint="Line by line the two files must say the same.",
            code="unequal-files",
        )
    pairs = [pair for pair in zip(*sides, strict=True) if pair[0].strip() or pair[1].strip()]
    blank = len(sides[0]) - len(pairs)
    notes = [*texts[0].notes, *texts[1].notes, *([f"{plural(blank, 'blank line')} left out"] if blank else [])]
    encoding = " and ".join(dict.fromkeys(text.encoding for text in texts))
    data = {name: [pair[side] for pair in pairs] for side, name in enumerate(names_of(first, second))}
    return Content(data, encoding, notes)


def names_of(first: Path, second: Path) -> tuple[str, str]:
    """Return what two files are called apart: the one part behind a dot that differs, else source and target."""
    parts = [path.name.removesuffix(".gz").split(".") for path in (first, second)]
    if len(parts[0]) == len(parts[1]):
        differing = [pair for pair in zip(*parts, strict=True) if pair[0] != pair[1]]
        if len(differing) == 1 and parts[0][0] == parts[1][0] and all(differing[0]):
            return differing[0]
    return "source", "target"
