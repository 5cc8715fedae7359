"""IA3: learned scales of keys, values and the feed-forward's inner values, and the head ((IA)³, Liu et al. 2022)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from workbench.errors import WorkbenchError
from workbench.parts import StrategyCard, StrategyOptions
from workbench.strategies.adapters import AdapterStrategy, choose_targets, insert, linear_layers

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel


KEYS_AND_VALUES = frozenset(
    (
        *("key", "k", "k_proj", "k_lin", "key_proj", "value", "v", "v_proj", "v_lin", "value_proj"),
        *("c_attn", "Wqkv", "query_key_value", "qkv_proj"),
    )
)
"""What the architectures call the layers that make keys and values; the last ones make the queries as well."""


class Options(StrategyOptions):
    name: Literal["ia3"] = "ia3"
    targets: str | None = Field(
        None,
        min_length=1,
        description="Endings of layer names; none is keys, values and second feed-forward layers",
    )


class Ia3(AdapterStrategy):
    card = StrategyCard(
        "scales (IA3)",
        "scales of keys, values and inner values learn, and the head: less than 0.1 % of it",
        partial=True,
        rate=3e-3,
    )
    Options = Options

    def adapt(self, model: PreTrainedModel) -> None:
        """Put scales on what the target layers give, and on what the feed-forward's second layer is given."""
        from peft import IA3Config

        seconds = _second_layers(model)
        if self.options.targets:
            targets = choose_targets(model, self.options.targets)
        else:
            targets = [*_attention_layers(model), *seconds]
        feedforward = [name for name in targets if name in seconds]
        insert(model, IA3Config(target_modules=targets, feedforward_modules=feedforward))


def _attention_layers(model: PreTrainedModel) -> list[str]:
    """Return the names of the layers that make keys and values; raise a WorkbenchError where they are not known."""
    names = [name for name in linear_layers(model) if name.rpartition(".")[2] in KEYS_AND_VALUES]
    if not names:
        raise WorkbenchError(
            f"which layers of this {model.config.model_type} make keys and values is not known",
            where="strategy.name: ia3",
            hint="Name them with strategy.targets, or pick another strategy.",
        )
    return names


def _second_layers(model: PreTrainedModel) -> list[str]:
    """Return the names of the linear layers that lead from the wide inside of a feed-forward back to the rest."""
    return [name for name, layer in linear_layers(model).items() if "att" not in name.lower() and _narrows(layer)]


def _narrows(layer: nn.Module) -> bool:
    from torch import nn

    rows, columns = layer.get_parameter("weight").shape
    # A Conv1D has its weight the other way round.
    return bool(columns > rows if isinstance(layer, nn.Linear) else rows > columns)
