"""Layer groups: a model from the bottom to the top, as the strategies see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Group:
    """Parameters that learn together. `parameters` are their names in the model; `size` counts their weights."""

    name: str
    parameters: tuple[str, ...]
    size: int


def layer_groups(model: PreTrainedModel) -> list[Group]:
    """Return the groups from the bottom up: embeddings, each layer, head. Every parameter is in exactly one.

    What stands above the last layer (pooler, final norm, classifier) is the head.
    """
    stack_name, stack = _layer_stack(model)
    names: dict[str, list[str]] = {"embeddings": []}
    names |= {f"layer {number}": [] for number in range(len(stack))}
    names["head"] = []
    below = True
    for parameter, _ in model.named_parameters():
        if parameter.startswith(f"{stack_name}."):
            below = False
            names[f"layer {parameter[len(stack_name) + 1 :].split('.')[0]}"].append(parameter)
        else:
            names["embeddings" if below else "head"].append(parameter)
    sizes = {name: parameter.numel() for name, parameter in model.named_parameters()}
    return [
        Group(group, tuple(members), sum(sizes[member] for member in members))
        for group, members in names.items()
        if members
    ]


def _layer_stack(model: PreTrainedModel) -> tuple[str, nn.ModuleList]:
    """Return the list of transformer layers: that of checkpointable layers, or else the longest list."""
    from torch import nn
    from transformers.modeling_layers import GradientCheckpointingLayer

    lists = [(name, module) for name, module in model.named_modules() if isinstance(module, nn.ModuleList) and module]
    stacks = [(name, module) for name, module in lists if isinstance(module[0], GradientCheckpointingLayer)]
    if not stacks and not lists:
        raise ValueError(f"{type(model).__name__} has no list of layers")
    return max(stacks or lists, key=lambda named: len(named[1]))
