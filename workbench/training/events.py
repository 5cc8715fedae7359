"""What the loop tells: values, in the order in which they happened."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from workbench.answer import Answer


@dataclass(frozen=True)
class Started:
    """The run is built. `parameters` counts all weights; `eval_rows` are (fields as JSON, right answer)."""

    step: int
    updates: int
    parameters: int
    device: str
    eval_set: str
    eval_rows: list[tuple[str, str | None]]
    versions: dict[str, Any]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Staged:
    """From this update on other layer groups learn, as `until` says.

    `groups` go from the bottom up: name, trainable, rate, size, learning (how many of its weights learn).
    """

    step: int
    groups: list[dict[str, Any]]
    trainable: int
    until: str = ""


@dataclass(frozen=True)
class Logged:
    """Values of one update. `seconds` is training time up to here, over all attempts."""

    step: int
    epoch: float
    seconds: float
    values: dict[str, float]


@dataclass(frozen=True)
class Evaluated:
    """Metrics of the evaluation set `eval_set`; `answers` are there where this is the best model so far."""

    step: int
    eval_set: str
    values: dict[str, float]
    best: bool
    answers: list[Answer] = field(default_factory=list)


@dataclass(frozen=True)
class Saving:
    """A checkpoint is about to be published: what was told so far must be safe before it is."""

    step: int


@dataclass(frozen=True)
class Saved:
    """A folder was published; `kind` is state or model, `kept` the steps of that kind that remain on disk."""

    step: int
    kind: str
    path: str
    bytes: int
    sha256: str
    kept: list[int]


GOES_ON = "goes_on"
"""The kind of a `Noted` after one of `store.runs.HELD`, which say what the run waits for."""


@dataclass(frozen=True)
class Noted:
    """Something worth a line in the log; `kind` is a verb of `Control` where what was asked is done."""

    step: int
    kind: str
    text: str


Event = Started | Staged | Logged | Evaluated | Saving | Saved | Noted
