"""Dots in cells: a canvas of braille (2 by 4 dots a cell) or of plain ASCII (1 by 1), and sparklines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

Symbols = Literal["braille", "ascii"]

_LEFT, _RIGHT = (0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80)  # braille dots from the top, per half of a cell
_SPANS = tuple(
    tuple(tuple(sum(half[top : bottom + 1]) for bottom in range(4)) for top in range(4)) for half in (_LEFT, _RIGHT)
)
_RISING = tuple(tuple(sum(half[4 - level :]) for level in range(5)) for half in (_LEFT, _RIGHT))
_ASCII_LEVELS = " .:-=+*#"


class Canvas:
    """Dots by cell; a cell keeps the dots of all series and the style of the last that touched it."""

    def __init__(self, columns: int, rows: int, dots: tuple[int, int]) -> None:
        """Make an empty canvas of `columns` by `rows` cells, each with `dots` across and down."""
        self.columns, self.rows = columns, rows
        self.wide, self.high = dots
        self.bits = [bytearray(columns) for _ in range(rows)]
        self.owner = [bytearray(columns) for _ in range(rows)]

    def span(self, x: int, top: int, bottom: int, owner: int) -> None:
        """Set the dots of pixel column `x` from `top` to `bottom`, both included, clipped to the canvas."""
        column = x // self.wide
        top, bottom = max(top, 0), min(bottom, self.rows * self.high - 1)
        if top > bottom or not 0 <= column < self.columns:
            return
        half, first, last = _SPANS[x % self.wide], top // self.high, bottom // self.high
        for row in range(first, last + 1):
            upper = top - row * self.high if row == first else 0
            lower = bottom - row * self.high if row == last else 3
            self.bits[row][column] |= half[upper][lower]
            self.owner[row][column] = owner


def sparkline(
    values: Sequence[float | None],
    cells: int,
    low: float | None = None,
    high: float | None = None,
    symbols: Symbols = "braille",
) -> str:
    """Return the course of `values` in exactly `cells`, newest at the right; a column shows the greatest of its values.

    The scale runs from `low` to `high`, by default from the least to the greatest value; gaps are blank.
    """
    columns = max(0, cells) * (2 if symbols == "braille" else 1)
    finite = [value for value in values if value is not None and math.isfinite(value)]
    if not finite or not columns:
        return " " * max(0, cells)
    bottom, top = min(finite) if low is None else low, max(finite) if high is None else high
    levels = 4 if symbols == "braille" else len(_ASCII_LEVELS) - 1
    heights = [
        0
        if value is None
        else 1 + min(levels - 1, max(0, math.floor((value - bottom) / ((top - bottom) or 1) * levels)))
        for value in _condense(values, columns)
    ]
    if symbols == "ascii":
        return "".join(_ASCII_LEVELS[level] for level in heights)
    masks = [_RISING[0][a] | _RISING[1][b] for a, b in zip(heights[::2], heights[1::2], strict=True)]
    return "".join(chr(0x2800 + mask) if mask else " " for mask in masks)


def _condense(values: Sequence[float | None], columns: int) -> list[float | None]:
    """Return one value per column, the greatest finite one of its share; few values stand at the right end."""
    n = len(values)
    if n <= columns:
        padded: list[float | None] = [None] * (columns - n)
        return padded + [value if value is not None and math.isfinite(value) else None for value in values]
    parts = (values[i * n // columns : (i + 1) * n // columns] for i in range(columns))
    return [max((v for v in part if v is not None and math.isfinite(v)), default=None) for part in parts]
