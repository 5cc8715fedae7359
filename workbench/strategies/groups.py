"""Layer groups: a model from the bottom to the top, as the strategies see it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel

    from workbench.strategies.strategy import Strategy

EMBEDDED = re.compile(r"embed|(^|\.)(shared|wte|wpe|relative_attention_bias)\.")
"""Names of what stands for tokens and their places, wherever in the model it is kept."""


@dataclass(frozen=True)
class Group:
    """Parameters that belong together. `parameters` are their names in the model; `size` counts their weights.

    `learns` are those of them that learn when the group does, `learning` counts their weights.
    """

    name: str
    parameters: tuple[str, ...]
    size: int
    learns: tuple[str, ...] = ()
    learning: int = 0


def layer_groups(model: PreTrainedModel) -> list[Group]:
    """Return the groups from the bottom up: embeddings, each layer, head. Every parameter is in exactly one.

    The layers of an encoder-decoder are those of the encoder, then those of the decoder. What stands above the last
    layer (pooler, final norm, classifier) is the head; what stands above an encoder's last layer is of that layer.
    """
    stacks = layer_stacks(model)
    layers = {stack: [_layer_name(stacks, stack, number) for number in range(len(stacks[stack]))] for stack in stacks}
    names: dict[str, list[str]] = {"embeddings": []}
    names |= {layer: [] for listed in layers.values() for layer in listed}
    names["head"] = []
    above = "embeddings"
    for parameter, _ in model.named_parameters():
        stack = next((stack for stack in stacks if parameter.startswith(f"{stack}.")), None)
        if stack is not None:
            above = layers[stack][-1] if stack != list(stacks)[-1] else "head"
            names[layers[stack][int(parameter[len(stack) + 1 :].split(".")[0])]].append(parameter)
        else:
            names["embeddings" if EMBEDDED.search(parameter) else above].append(parameter)
    sizes = {name: parameter.numel() for name, parameter in model.named_parameters()}
    return [
        Group(group, tuple(members), sum(sizes[member] for member in members))
        for group, members in names.items()
        if members
    ]


def strategy_groups(model: PreTrainedModel, strategy: Strategy, fresh: frozenset[str] = frozenset()) -> list[Group]:
    """Return the groups with what a strategy lets learn of each: `fresh` weights in any case.

    These are named as before the strategy adapted the model. Raise a WorkbenchError where nothing would learn.
    """
    sizes = {name: parameter.numel() for name, parameter in model.named_parameters()}
    groups = []
    for group in layer_groups(model):
        wanted = strategy.learns(model, group)
        learns = tuple(name for name in group.parameters if name in wanted or _plain_name(name) in fresh)
        groups.append(replace(group, learns=learns, learning=sum(sizes[name] for name in learns)))
    if not any(group.learns for group in groups):
        raise WorkbenchError(
            f"nothing would learn: this {model.config.model_type} has no weights of the kind",
            where=f"strategy.name: {strategy.options.name}",
            hint="Pick another strategy.",
        )
    return groups


def _plain_name(name: str) -> str:
    """Return what a tensor is called without the adapter that stands around its layer."""
    return name.replace(".base_layer.", ".")


def _layer_name(stacks: dict[str, nn.ModuleList], stack: str, number: int) -> str:
    """Return what a layer is called: layer 3, or encoder 3 and decoder 3 where there are two stacks."""
    if len(stacks) == 1:
        return f"layer {number}"
    return f"{stack.split('.')[-2]} {number}"


def layer_stacks(model: PreTrainedModel) -> dict[str, nn.ModuleList]:
    """Return the lists of transformer layers, the lower first: of checkpointable layers, or else the longest list."""
    from torch import nn
    from transformers.modeling_layers import GradientCheckpointingLayer

    lists = {name: module for name, module in model.named_modules() if isinstance(module, nn.ModuleList) and module}
    if not lists:
        raise ValueError(f"{type(model).__name__} has no list of layers")
    stacks = {name: each for name, each in lists.items() if isinstance(each[0], GradientCheckpointingLayer)}
    if stacks:
        return {name: each for name, each in stacks.items() if not any(name.startswith(f"{low}.") for low in stacks)}
    longest = max(lists, key=lambda name: len(lists[name]))
    return {longest: lists[longest]}
