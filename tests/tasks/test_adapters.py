"""Adapters on every architecture: what learns, what is published in their place, and what comes back afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.making import ARCHITECTURES, tiny_model
from workbench.errors import WorkbenchError
from workbench.recipe import Training, parse
from workbench.strategies import STRATEGIES, Strategy, make_strategy
from workbench.strategies.groups import layer_groups, strategy_groups
from workbench.training.optimiser import build_optimiser

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

ADAPTERS: list[dict[str, Any]] = [
    *({"name": "lora", "variant": variant, "rank": 4} for variant in ("lora", "dora", "rslora", "pissa")),
    {"name": "ia3"},
]
each_architecture = pytest.mark.parametrize("kind", ARCHITECTURES)
each_adapter = pytest.mark.parametrize("options", ADAPTERS, ids=lambda options: options.get("variant", "ia3"))


def auto_of(kind: str) -> str:
    return "AutoModelForSeq2SeqLM" if kind == "marian" else "AutoModelForSequenceClassification"


def model_of(kind: str) -> PreTrainedModel:
    """Return a model with three labels, as many as BART's configuration has where it says nothing."""
    return tiny_model(kind, 3, auto_of(kind))


def strategy_of(options: dict[str, Any], headed: bool = True) -> Strategy:
    return make_strategy(STRATEGIES[options["name"]].Options(**options), headed)


def adapted(kind: str, options: dict[str, Any]) -> tuple[PreTrainedModel, Strategy]:
    """Return a model with adapters that have learned something, in evaluation mode."""
    import torch

    model, strategy = model_of(kind).eval(), strategy_of(options)
    strategy.adapt(model)
    with torch.no_grad():
        for group in strategy_groups(model, strategy):
            for name in group.learns:
                model.get_parameter(name).add_(0.05 * torch.randn_like(model.get_parameter(name)))
    return model, strategy


def logits_of(model: PreTrainedModel, kind: str) -> torch.Tensor:
    import torch

    tokens = torch.tensor([[2, 5, 6, 7, 8, 3], [2, 9, 10, 11, 12, 3]])
    outputs = model(tokens, **({"decoder_input_ids": tokens} if kind == "marian" else {}))
    logits: torch.Tensor = outputs.logits
    return logits


def asked(model: PreTrainedModel, kind: str) -> torch.Tensor:
    """Return the logits as an evaluation has them: attention takes another kernel where it has to learn."""
    import torch

    with torch.inference_mode():
        return logits_of(model, kind)


def copied(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return list(one) == list(other) and all(one[name].equal(other[name]) for name in one)


@each_architecture
@each_adapter
def test_an_update_changes_the_adapters_and_the_head_alone(kind: str, options: dict[str, Any]) -> None:
    model, strategy = model_of(kind), strategy_of(options, headed=kind != "marian")
    plain = layer_groups(model)
    strategy.adapt(model)
    groups = strategy_groups(model, strategy)
    assert [group.name for group in groups] == [group.name for group in plain]
    learns = {name for group in groups for name in group.learns}
    assert kind == "marian" or groups[-1].learns == plain[-1].parameters
    assert all(group.learns for group in groups[1:-1])
    model.requires_grad_(False)
    for name in learns:
        model.get_parameter(name).requires_grad_(True)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    optimiser = build_optimiser(model, groups, strategy, Training(weight_decay=0.1))
    # The second matrix begins at zero, so that the first has no gradient before the second update.
    for _ in range(2):
        logits_of(model, kind).float().log_softmax(-1)[..., 0].sum().backward()
        optimiser.step()
        optimiser.zero_grad()
    assert {name for name, parameter in model.named_parameters() if not parameter.equal(before[name])} == learns


@each_architecture
@each_adapter
def test_the_published_model_is_a_plain_one_that_says_the_same(
    kind: str, options: dict[str, Any], tmp_path: Path
) -> None:
    import torch
    import transformers

    model, strategy = adapted(kind, options)
    before, said = copied(model), asked(model, kind)
    with strategy.published(model):
        assert list(model.state_dict()) == list(model_of(kind).state_dict())
        merged = asked(model, kind)
        model.save_pretrained(tmp_path)
    assert torch.allclose(merged, said, rtol=0, atol=1e-5)
    assert same(copied(model), before)
    assert asked(model, kind).equal(said)
    loaded = getattr(transformers, auto_of(kind)).from_pretrained(tmp_path).eval()
    assert type(loaded) is type(model)
    assert asked(loaded, kind).equal(merged)


@each_architecture
@each_adapter
def test_adapters_change_nothing_at_their_start(kind: str, options: dict[str, Any]) -> None:
    import torch

    model = model_of(kind).eval()
    before = asked(model, kind)
    strategy_of(options).adapt(model)
    assert torch.allclose(asked(model, kind), before, rtol=0, atol=1e-6)


@each_adapter
def test_all_is_put_back_after_an_error(options: dict[str, Any]) -> None:
    model, strategy = adapted("bert", options)
    before = copied(model)
    with pytest.raises(RuntimeError, match="disk full"), strategy.published(model):
        raise RuntimeError("disk full")
    assert same(copied(model), before)


def test_weights_that_are_not_numbers_are_published_as_they_are() -> None:
    import torch

    model, strategy = adapted("bert", ADAPTERS[0])
    with torch.no_grad():
        model.get_parameter("bert.encoder.layer.0.output.dense.lora_B.default.weight").fill_(float("nan"))
    with strategy.published(model):
        assert asked(model, "bert").isnan().all()


def test_adapters_train_on_in_the_mode_that_they_were_in() -> None:
    model, strategy = adapted("bert", ADAPTERS[0] | {"dropout": 0.5})
    for training in (True, False):
        model.train(training)
        with strategy.published(model):
            model.eval()
            model.train(training)
        assert {module.training for module in model.modules()} == {training}


def test_a_seed_decides_how_adapters_begin() -> None:
    import torch

    for options in ADAPTERS:
        states = []
        for _ in range(2):
            model = tiny_model("bert")
            torch.manual_seed(3)
            strategy_of(options).adapt(model)
            states.append(copied(model))
        assert same(*states)


@pytest.mark.parametrize(
    ("targets", "found"),
    [
        ("query,value", {"attention.self.query", "attention.self.value"}),
        (" query , value ,", {"attention.self.query", "attention.self.value"}),
        ("output.dense", {"attention.output.dense", "output.dense"}),
        ("0.output.dense", {"output.dense"}),
    ],
)
@pytest.mark.parametrize("name", ["lora", "ia3"])
def test_targets_are_endings_of_names(name: str, targets: str, found: set[str]) -> None:
    model, strategy = tiny_model("bert"), strategy_of({"name": name, "targets": targets})
    strategy.adapt(model)
    learns = {name for group in strategy_groups(model, strategy)[:-1] for name in group.learns}
    layers = {name.removeprefix("bert.encoder.layer.").partition(".")[2] for name in learns}
    assert {layer.partition(".lora_")[0].partition(".ia3_")[0] for layer in layers} == found


@pytest.mark.parametrize("targets", ["query,quary", "uery", "pooler.dense", "classifier", ",", "*"])
@pytest.mark.parametrize("name", ["lora", "ia3"])
def test_unknown_targets_are_refused_with_names_of_layers(name: str, targets: str) -> None:
    with pytest.raises(WorkbenchError) as refused:
        strategy_of({"name": name, "targets": targets}).adapt(tiny_model("bert"))
    assert "no linear layer" in refused.value.what
    assert refused.value.where == f"strategy.targets: {targets}"
    assert "attention.self.query, attention.self.key, attention.self.value" in str(refused.value.hint)


def test_scales_need_to_know_keys_and_values() -> None:
    from torch import nn

    model = tiny_model("bert")
    for layer in model.bert.encoder.layer:
        layer.attention.self = nn.Identity()
    with pytest.raises(WorkbenchError, match="keys and values is not known"):
        strategy_of({"name": "ia3"}).adapt(model)


@pytest.mark.parametrize("options", [{"name": "ia3"}, {"name": "lora", "variant": "dora"}])
def test_scales_are_not_pulled_to_zero(options: dict[str, Any]) -> None:
    model, strategy = tiny_model("bert"), strategy_of(options)
    strategy.adapt(model)
    groups = strategy_groups(model, strategy)
    tables = build_optimiser(model, groups, strategy, Training(weight_decay=0.1)).param_groups
    pulled = {id(tensor) for table in tables if table["weight_decay"] for tensor in table["params"]}
    scales = [tensor for name, tensor in model.named_parameters() if "ia3_l" in name or "magnitude" in name]
    assert scales
    assert pulled.isdisjoint(map(id, scales))


def test_what_a_backbone_lacks_learns_below_its_adapter() -> None:
    model, strategy = tiny_model("bert"), strategy_of(ADAPTERS[0])
    strategy.adapt(model)
    fresh = "bert.encoder.layer.1.output.dense.weight"
    groups = {group.name: group for group in strategy_groups(model, strategy, frozenset([fresh]))}
    assert "bert.encoder.layer.1.output.dense.base_layer.weight" in groups["layer 1"].learns
    assert not any("base_layer" in name for name in groups["layer 0"].learns)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"variant": "pissa", "dropout": 0.1}, "pissa takes none"),
        ({"variant": "pissa", "quantized": True}, "pissa needs whole weights"),
        ({"variant": "dora", "quantized": True}, "dora needs whole weights"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(WorkbenchError, match=words):
        parse({"task": "sentiment", "data": "x.csv", "backbone": "x", "strategy": {"name": "lora", **options}})


def test_quantized_weights_say_what_they_need() -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine may have all that is needed")
    with pytest.raises(WorkbenchError, match="an NVIDIA GPU that torch can use") as refused:
        strategy_of({"name": "lora", "quantized": True}).adapt(tiny_model("bert"))
    assert "[quant]" in str(refused.value.hint)


@pytest.mark.parametrize("kind", ["bert", "llama", "bart"])
def test_beside_quantized_weights_adapters_learn_and_are_published(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a processor, which can compute with such weights too where there is the library."""
    import torch
    import transformers

    pytest.importorskip("bitsandbytes")
    monkeypatch.setattr("workbench.strategies.lora.device_for_quantized", lambda: torch.device("cpu"))
    model, strategy = adapted(kind, {"name": "lora", "quantized": True})
    # The library repacks weights on a processor that evaluates, which these small ones do not allow.
    model.train()
    held = [name for name, tensor in model.named_parameters() if tensor.dtype is torch.uint8]
    assert held
    assert all(name.endswith(".base_layer.weight") for name in held)
    said, before = asked(model, kind), copied(model)
    with strategy.published(model):
        merged = asked(model, kind)
        model.save_pretrained(tmp_path)
    assert (merged - said).abs().max() < 0.05 * said.abs().max()
    assert same(copied(model), before)
    loaded = getattr(transformers, auto_of(kind)).from_pretrained(tmp_path).eval()
    assert asked(loaded, kind).equal(merged)
    learns = {name for group in strategy_groups(model, strategy) for name in group.learns}
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in learns)
    logits_of(model, kind).log_softmax(-1)[..., 0].sum().backward()
    assert {name for name, parameter in model.named_parameters() if parameter.grad is not None} == learns
