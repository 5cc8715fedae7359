"""Rows on their way to a model: an example is one as a task reads it, a feature one as a batch holds it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

IGNORED = -100
"""The label of what no loss is taken of."""


WIDTH_STEP = 8
"""Batches that are answered are as wide as a multiple of this: few shapes, and the same arithmetic for each row."""


class RowProblem(Exception):
    """A row that a task cannot use: what is wrong with the column of a role, what to do, and the name of its kind."""

    def __init__(
        self,
        what: str,
        role: str,
        hint: str = "Mend or remove such rows, or name another column.",
        code: str = "wrong-type",
    ) -> None:
        super().__init__(what)
        self.what, self.role, self.hint, self.code = what, role, hint, code


@dataclass(frozen=True)
class Example:
    """`fields` is what the model is asked, role → value, as JSON has it; `gold` what is right, None if not known.

    `row` is where it stands in its file, from 1; 0 for what was typed. `source` names the set that it is of, where
    there are several. `mended` says how it was read where it breaks a
    rule but can be used.
    """

    fields: dict[str, Any]
    gold: Any = None
    row: int = field(default=0, compare=False)
    mended: str = field(default="", compare=False)
    source: str = field(default="", compare=False)


@dataclass(frozen=True)
class Feature:
    """One row of a batch: token numbers of one example, or of one window of it.

    `labels` is a number, or a list with one for each token; `items` counts what the loss is a mean of. `kind` tells
    apart rows that a model is asked in different ways. `info` is what the answer needs to know beside the outputs.
    """

    example: int
    ids: list[int]
    types: list[int] | None = None
    labels: Any = None
    items: int = 1
    kind: str = ""
    info: dict[str, Any] = field(default_factory=dict)

    @property
    def length(self) -> int:
        """How many tokens it makes a model work on: those that it reads, and its labels where they are a row."""
        return len(self.ids) + (len(self.labels) if isinstance(self.labels, list) else 0)


@dataclass(frozen=True)
class Shape:
    """What a batch is filled up to: tokens, and tokens of labels. Equal shapes are computed in equal ways."""

    kind: str
    width: int
    label_width: int = 0
