"""Columns of a table, and how they share a width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workbench.text import Align, width

GAP = 2


@dataclass(frozen=True)
class Column:
    """A column: `width` in cells, or None to share what is left but `narrowest`.

    Low `priority` goes first when space is short.
    """

    key: str
    title: str
    width: int | None = None
    align: Align = "left"
    priority: int = 0
    narrowest: int = 8

    @property
    def least(self) -> int:
        """Return the width below which the column is dropped rather than squeezed."""
        return self.width if self.width is not None else max(width(self.title), self.narrowest)


def share(columns: Sequence[Column], room: int) -> list[tuple[int, int]]:
    """Return (index, cells) of the columns that fit into `room`, in their order.

    The lowest priority goes first, of equals the rightmost; the last one left stays, cut to what there is.
    """
    kept = list(range(len(columns)))
    while len(kept) > 1 and _needed(columns, kept) > room:
        kept.remove(min(kept, key=lambda index: (columns[index].priority, -index)))
    flexible = [index for index in kept if columns[index].width is None]
    spare = max(0, room - _needed(columns, kept))
    extra = {index: spare // len(flexible) + (at < spare % len(flexible)) for at, index in enumerate(flexible)}
    return [(index, max(0, min(room, columns[index].least + extra.get(index, 0)))) for index in kept]


def _needed(columns: Sequence[Column], kept: Sequence[int]) -> int:
    """Return the least width of the kept columns with the gaps between them."""
    return sum(columns[index].least for index in kept) + GAP * (len(kept) - 1)
