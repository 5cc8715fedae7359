"""The recipe's table of augmentation, and what keeps it from a task."""

from __future__ import annotations

from pydantic import Field

from workbench.parts import Part, TaskCard

MODELS = ("masked_model", "there", "back")
"""The settings that name a model."""


class Augment(Part):
    delete: float = Field(0.0, ge=0, lt=1, description="Share of the words of a row that are left out, anew each epoch")
    swap: float = Field(0.0, ge=0, le=1, description="Share of the words that change places with a neighbour")
    crop: float = Field(1.0, gt=0, le=1, description="Least share of the words that a random span keeps; 1 is all")
    noise: float = Field(0.0, ge=0, lt=1, description="Share of the characters that are mistyped")
    masked: float = Field(0.0, ge=0, lt=1, description="Share of the words replaced by what a masked model writes")
    masked_model: str | None = Field(None, description="Folder, Hub id or run:RUN; none takes the backbone's own head")
    translated: float = Field(0.0, ge=0, le=1, description="Share of the rows put into another language and back")
    there: str | None = Field(None, min_length=1, description="Model that translates there: folder, Hub id or run:RUN")
    back: str | None = Field(None, min_length=1, description="Model that translates back: folder, Hub id or run:RUN")

    @property
    def kinds(self) -> list[str]:
        """The kinds of augmentation that are on."""
        off = {"delete": 0.0, "swap": 0.0, "crop": 1.0, "noise": 0.0, "masked": 0.0, "translated": 0.0}
        return [kind for kind, value in off.items() if getattr(self, kind) != value]


def why_not(augment: Augment, card: TaskCard, backbone: str, taught: bool) -> tuple[str, str]:
    """Return the first setting that cannot be as it is, and why; two empty texts where all can.

    `taught` is whether a teacher tells what the rows are.
    """
    for kind in augment.kinds:
        if taught:
            return kind, "not with a teacher: what it tells is of the row as it is"
        if kind not in card.augmented:
            return kind, f"not for {card.title}: {card.unaugmented}"
    if augment.masked and backbone.startswith("size:") and augment.masked_model is None:
        return "masked_model", f"{backbone} has no weights to write words with: name a masked model"
    for setting in ("there", "back") if augment.translated else ():
        if getattr(augment, setting) is None:
            return setting, "missing; back-translation takes a model for each way"
    return "", ""
