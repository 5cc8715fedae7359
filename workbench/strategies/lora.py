"""LoRA: low-rank matrices beside the frozen weights of every layer learn, and the head (Hu et al. 2021).

Its kin differ in scale, start or form: rsLoRA (Kalajdzievski 2023), PiSSA (Meng et al. 2024), DoRA (Liu et al. 2024);
QLoRA in how the frozen weights are held.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from workbench.parts import StrategyCard, StrategyOptions
from workbench.strategies.adapters import AdapterStrategy, choose_targets, insert, linear_layers
from workbench.strategies.quantized import device_for_quantized, quantize

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class Options(StrategyOptions):
    name: Literal["lora"] = "lora"
    variant: Literal["lora", "dora", "rslora", "pissa"] = Field(
        "lora", description="Plain; with learned magnitudes; scaled for high ranks; begun from the main directions"
    )
    rank: int = Field(8, ge=1, description="Rank of the matrices: the higher, the more can be learned")
    alpha: float = Field(16.0, gt=0, description="Weight of the adapters: alpha / rank, for rslora alpha / √rank")
    dropout: float = Field(0.0, ge=0, lt=1, description="Dropout of what the adapters read; none for pissa")
    targets: str | None = Field(
        None,
        min_length=1,
        description="Endings of layer names, as query,value; none is every linear one",
    )

    quantized: bool = Field(False, description="Frozen weights in 4 bits (QLoRA): for an NVIDIA GPU, extra quant")

    @model_validator(mode="after")
    def _check_variant(self) -> Self:
        if self.variant == "pissa" and self.dropout:
            raise ValueError("strategy.dropout\x00pissa takes none: it would drop main parts of the weights")
        if self.quantized and self.variant not in ("lora", "rslora"):
            raise ValueError(f"strategy.quantized\x00{self.variant} needs whole weights; lora and rslora do not")
        return self


class Lora(AdapterStrategy):
    card = StrategyCard(
        "adapters (LoRA)",
        "small matrices beside the frozen weights learn, and the head: little memory, near to full",
        partial=True,
        rate=5e-4,
    )
    Options = Options

    def adapt(self, model: PreTrainedModel) -> None:
        """Put the matrices beside the target layers; PiSSA takes what they start with out of these."""
        from peft import LoraConfig

        options = self.options
        targets = choose_targets(model, options.targets) if options.targets else list(linear_layers(model))
        if options.quantized:
            quantize(model, targets, device_for_quantized())
        config = LoraConfig(
            target_modules=targets,
            r=options.rank,
            lora_alpha=options.alpha,
            lora_dropout=options.dropout,
            use_dora=options.variant == "dora",
            use_rslora=options.variant == "rslora",
            init_lora_weights="pissa" if options.variant == "pissa" else True,
        )
        insert(model, config)
