"""Frozen weights in 4 bits beside which adapters learn (QLoRA, Dettmers et al. 2023), by bitsandbytes.

The layers that have adapters are held in 4 bits, one after the other as they are taken from the loaded model: the
model is that of transformers otherwise, and what the head and the embeddings know stays whole.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    import torch
    from torch import nn
    from transformers import PreTrainedModel


def device_for_quantized() -> torch.device:
    """Return the GPU that holds weights in 4 bits; raise a WorkbenchError that says what is missing."""
    import torch

    missing = []
    if torch.version.cuda is None or not torch.cuda.is_available():
        missing.append("an NVIDIA GPU that torch can use")
    if importlib.util.find_spec("bitsandbytes") is None:
        missing.append("the package bitsandbytes (0.50 or newer)")
    if missing:
        raise WorkbenchError(
            f"weights in 4 bits need {' and '.join(missing)}",
            where="strategy.quantized",
            hint="Install the workbench with its extra: pip install 'transformer-workbench[quant]', "
            "on a machine with such a GPU, or set it to false.",
        )
    return torch.device("cuda")


def quantize(model: PreTrainedModel, names: Sequence[str], device: torch.device) -> None:
    """Put layers with 4-bit weights (NF4, their scales quantized too) in the place of the named linear layers."""
    import torch
    from bitsandbytes.nn import Linear4bit, Params4bit

    for name in names:
        plain: Any = model.get_submodule(name)
        if not isinstance(plain, torch.nn.Linear):
            raise WorkbenchError(
                f"the layers of this {model.config.model_type} cannot be held in 4 bits",
                where="strategy.quantized",
                hint="Set it to false, or pick another backbone.",
            )
        form: dict[str, Any] = {"quant_type": "nf4", "compress_statistics": True}
        layer = Linear4bit(
            plain.in_features, plain.out_features, False, compute_dtype=torch.bfloat16, device="meta", **form
        )
        layer.weight = Params4bit(plain.weight.data, requires_grad=False, module=layer, **form)
        layer.bias = plain.bias
        model.set_submodule(name, layer.to(device))
    # By this peft knows what to put beside such a layer.
    model.is_loaded_in_4bit = True  # type: ignore[assignment]


def is_quantized(layer: nn.Module) -> bool:
    """Return whether a layer has its weights in 4 bits."""
    return type(layer).__name__ == "Linear4bit"


def merge_quantized(adapter: Any) -> nn.Module:
    """Return a plain layer with the 4-bit weights below an adapter in 32-bit floats, and the adapter merged in."""
    from peft.utils.integrations import dequantize_module_weight
    from torch import nn

    base: Any = adapter.get_base_layer()
    layer = nn.Linear(base.in_features, base.out_features, base.bias is not None, device="meta")
    weight = dequantize_module_weight(base).float()
    layer.weight = nn.Parameter(weight + adapter.get_delta_weight("default").float(), requires_grad=False)
    if base.bias is not None:
        layer.bias = nn.Parameter(base.bias.detach().float(), requires_grad=False)
    return layer
