"""Adapters in a model: small tensors beside its frozen weights, put in by peft and merged away for what is published.

The layers are wrapped where they are: the model keeps its class, and its names keep the place of each layer.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from workbench.errors import WorkbenchError
from workbench.strategies.groups import Group, layer_stacks
from workbench.strategies.quantized import is_quantized, merge_quantized
from workbench.strategies.strategy import Strategy

if TYPE_CHECKING:
    from peft import PeftConfig
    from torch import nn
    from transformers import PreTrainedModel

ADAPTER = re.compile(r"\.(lora_\w+|ia3_l)\.")
"""Names of the tensors that peft adds to a layer."""

NAMES_SHOWN = 8


class AdapterStrategy(Strategy):
    """What strategies with adapters share: which tensors learn, and the plain model that is published."""

    def learns(self, model: PreTrainedModel, group: Group) -> tuple[str, ...]:
        """Return the adapters' tensors, and all of the head that the task puts on the backbone."""
        return adapter_tensors(group, self.headed)

    @contextmanager
    def published(self, model: PreTrainedModel) -> Iterator[None]:
        """Let the model be the plain one with the adapters merged into its weights."""
        with merged(model):
            yield


def linear_layers(model: PreTrainedModel) -> dict[str, nn.Module]:
    """Return the linear layers inside the transformer layers by their full names, those of the bottom first."""
    from torch import nn
    from transformers.pytorch_utils import Conv1D

    stacks = tuple(f"{stack}." for stack in layer_stacks(model))
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear | Conv1D) and name.startswith(stacks)
    }


def choose_targets(model: PreTrainedModel, targets: str) -> list[str]:
    """Return the full names of the linear layers whose names end as `targets` lists them, such as "query,value".

    Raise a WorkbenchError where no layer's name ends in one of them.
    """
    names = list(linear_layers(model))
    endings = [ending for ending in (each.strip() for each in targets.split(",")) if ending]
    chosen = {ending: [name for name in names if f".{name}".endswith(f".{ending}")] for ending in endings}
    unknown = [ending for ending, found in chosen.items() if not found]
    if unknown or not chosen:
        known = list(dict.fromkeys(re.split(r"\.\d+\.", name)[-1] for name in names))
        more = f" and {len(known) - NAMES_SHOWN} more" if len(known) > NAMES_SHOWN else ""
        raise WorkbenchError(
            f"no linear layer's name ends in {' or '.join(map(repr, unknown or ['']))}",
            where=f"strategy.targets: {targets}",
            hint=f"The layers of this {model.config.model_type} have {', '.join(known[:NAMES_SHOWN])}{more}.",
        )
    wanted = {name for found in chosen.values() for name in found}
    return [name for name in names if name in wanted]


def insert(model: PreTrainedModel, config: PeftConfig) -> None:
    """Wrap the layers that a peft configuration targets."""
    from peft import inject_adapter_in_model

    with warnings.catch_warnings():
        # What it warns of, the layout of a Conv1D, it also sets right.
        warnings.filterwarnings("ignore", message=".*fan_in_fan_out")
        inject_adapter_in_model(config, model)
    # The mark of a model that has adapters: a published one has none.
    del model.peft_config
    model.train(model.training)


def adapter_tensors(group: Group, headed: bool) -> tuple[str, ...]:
    """Return what of a group learns with adapters: theirs, and all of a head that the task puts on the backbone."""
    if group.name == "head" and headed:
        return group.parameters
    return tuple(name for name in group.parameters if ADAPTER.search(name))


@contextmanager
def merged(model: PreTrainedModel) -> Iterator[None]:
    """Let the model be a plain one for a while: each adapter merged into its layer, which stands in its own place.

    Afterwards all is as before to the bit, for the weights are put back and not computed. Needs memory for a second
    copy of the layers that have adapters, whole where they are quantized.
    """
    import torch
    from peft.tuners.tuners_utils import BaseTunerLayer

    adapters: dict[str, Any] = {
        name: module for name, module in model.named_modules() if isinstance(module, BaseTunerLayer)
    }
    kept = [(each, each.data) for adapter in adapters.values() for each in adapter.get_base_layer().parameters()]
    try:
        with torch.no_grad():
            for name, adapter in adapters.items():
                model.set_submodule(name, _merge(adapter))
        yield
    finally:
        for parameter, data in kept:
            parameter.data = data
        for name, adapter in adapters.items():
            adapter.merged_adapters.clear()
            model.set_submodule(name, adapter)
            adapter.train(model.training)


def _merge(adapter: Any) -> nn.Module:
    """Return the layer below an adapter, with new weights that do the same as both."""
    base: nn.Module = adapter.get_base_layer()
    if is_quantized(base):
        return merge_quantized(adapter)
    for parameter in base.parameters():
        parameter.data = parameter.data.clone()
    adapter.merge()
    return base
