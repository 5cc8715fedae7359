"""What a recipe sets in every layer of an architecture: its dropout, and whether it is computed twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import transformers
from torch import nn

from tests.making import ARCHITECTURES, SHAPES, VOCABULARY, tiny_backbone, tiny_model, toy_rows, write_jsonl
from tests.training.support import recipe_of
from workbench.abilities import why_unable
from workbench.errors import WorkbenchError
from workbench.tasks import TASKS
from workbench.training.job import build
from workbench.training.model import checkpoint_activations, set_dropout

AUTOS = sorted({task.auto for task in TASKS.values()})
HEADS = [(kind, auto) for kind in ARCHITECTURES for auto in AUTOS if not why_unable(auto, kind)]
UNREPEATABLE = ("mpnet", "albert")
PLAIN = [kind for kind in ARCHITECTURES if kind != "marian"]
IDS = torch.tensor([[2, 7, 8, 9, 3], [2, 10, 11, 3, 0]])


def dropouts(model: nn.Module) -> Iterator[tuple[str, float]]:
    """Yield name and share of every dropout: modules of torch, and shares that attention keeps as numbers."""
    for name, module in model.named_modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            yield name, module.p
        for key, value in vars(module).items():
            # A layerdrop is not of numbers but of whole layers.
            if "dropout" in key and isinstance(value, float | int) and not isinstance(value, bool):
                yield f"{name}.{key}", float(value)


@pytest.mark.parametrize(("kind", "auto"), HEADS)
def test_dropout_is_that_of_the_recipe_in_every_layer_and_head(kind: str, auto: str) -> None:
    shape = SHAPES[kind] | {"vocab_size": VOCABULARY, "pad_token_id": 0, "num_labels": 2}
    config = transformers.AutoConfig.for_model(kind, **shape)
    set_dropout(config, 0.3)
    found = dict(dropouts(getattr(transformers, auto).from_config(config)))
    assert found
    assert {name: share for name, share in found.items() if share != 0.3} == {}


def test_dropouts_are_found_whatever_they_are_called() -> None:
    config = transformers.GPTNeoXConfig(hidden_size=8, num_attention_heads=2, hidden_dropout=0.1)
    set_dropout(config, 0.3)
    assert (config.hidden_dropout, config.attention_dropout) == (0.3, 0.3)


def gradients(model: nn.Module) -> dict[str, torch.Tensor]:
    torch.manual_seed(3)
    model.train()(input_ids=IDS, attention_mask=(IDS != 0).long()).logits.square().sum().backward()
    return {name: each.grad.clone() for name, each in model.named_parameters() if each.grad is not None}


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("kind", [kind for kind in PLAIN if kind not in UNREPEATABLE])
def test_layers_computed_twice_have_the_same_gradients(kind: str, frozen: bool) -> None:
    plain, twice = tiny_model(kind), tiny_model(kind)
    checkpoint_activations(twice)
    for model in (plain.double(), twice.double()):
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.2
        model.get_input_embeddings().weight.requires_grad_(not frozen)
    one, other = gradients(plain), gradients(twice)
    assert one.keys() == other.keys()
    for name, gradient in one.items():
        # Embeddings that are used twice are added up in another order.
        torch.testing.assert_close(other[name], gradient, rtol=1e-12, atol=1e-12 * float(gradient.abs().max()))


@pytest.mark.parametrize("kind", UNREPEATABLE)
def test_an_architecture_that_cannot_compute_its_layers_twice_is_refused(kind: str, tmp_path: Path) -> None:
    rows = write_jsonl(tmp_path / "rows.jsonl", toy_rows(20))
    made = recipe_of(tiny_backbone(tmp_path / kind, kind), rows, training={"activation_checkpointing": True})
    (tmp_path / "run").mkdir()
    with pytest.raises(WorkbenchError, match=f"{kind} of transformers cannot") as error:
        build(made, tmp_path / "run", tmp_path / "cache")
    assert error.value.where == "training.activation_checkpointing"
