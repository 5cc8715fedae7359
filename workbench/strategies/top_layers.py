"""Top layers: the head and the layers next to it learn; what lies below stays as it was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from workbench.parts import StrategyCard, StrategyOptions
from workbench.strategies.strategy import Moment, Strategy

if TYPE_CHECKING:
    from workbench.strategies.groups import Group


class Options(StrategyOptions):
    name: Literal["top-layers"] = "top-layers"
    top: int = Field(2, ge=1, description="Layers below the head that learn")
    frozen: int | None = Field(None, ge=0, description="Layers from the bottom that stay frozen, in the place of top")


class TopLayers(Strategy):
    card = StrategyCard("top layers", "the head and the layers next to it learn, those below stay frozen", partial=True)
    Options = Options

    def trainable(self, groups: Sequence[Group], moment: Moment) -> frozenset[str]:
        """Return the head and the layers above the frozen ones; the embeddings are never among them."""
        layers = [group.name for group in groups if group.name not in ("embeddings", "head")]
        frozen = self.options.frozen if self.options.frozen is not None else max(0, len(layers) - self.options.top)
        return frozenset(["head", *layers[frozen:]])
