"""Strategies: which layer groups learn when, on every architecture."""

from __future__ import annotations

import itertools
import re

import pytest

from tests.making import ARCHITECTURES, tiny_model
from workbench.strategies import STRATEGIES, Moment, make_strategy
from workbench.strategies.gradual import Gradual
from workbench.strategies.groups import Group, layer_groups


def groups_of(count: int) -> list[Group]:
    return [Group(f"group {number}", (), 1) for number in range(count)]


def learning(count: int, updates: int, unfrozen_by: float) -> list[frozenset[str]]:
    strategy = Gradual(Gradual.Options(unfrozen_by=unfrozen_by))
    return [strategy.trainable(groups_of(count), Moment(step, updates)) for step in range(updates)]


@pytest.mark.parametrize("count", [2, 3, 4, 8, 14, 26])
@pytest.mark.parametrize(
    ("updates", "unfrozen_by"), [(100, 0.5), (100, 1.0), (37, 0.3), (5, 0.5), (1, 0.5), (1000, 0.01)]
)
def test_gradual_opens_groups_from_the_top_and_closes_none(count: int, updates: int, unfrozen_by: float) -> None:
    sets = learning(count, updates, unfrozen_by)
    names = [group.name for group in groups_of(count)]
    assert sets[0] == {names[-1]}
    for before, after in itertools.pairwise(sets):
        assert before <= after
    assert all(one == set(names[len(names) - len(one) :]) for one in sets)
    everything_by = round(updates * unfrozen_by)
    assert all(one == set(names) for one in sets[max(1, everything_by) :])


def test_gradual_opens_groups_at_even_distances() -> None:
    assert [len(one) for one in learning(5, 16, 0.5)] == [1, 1, 2, 2, 3, 3, 4, 4, *[5] * 8]


def test_gradual_rates_fall_from_the_head_down() -> None:
    strategy = Gradual(Gradual.Options(rate_decay=0.5))
    assert [strategy.rate(groups_of(4), number) for number in range(4)] == [0.125, 0.25, 0.5, 1.0]


@pytest.mark.parametrize("name", ["full", "scratch"])
def test_full_and_scratch_let_everything_learn(name: str) -> None:
    strategy, groups = make_strategy(STRATEGIES[name].Options(name=name)), groups_of(3)
    assert strategy.trainable(groups, Moment(0, 10)) == {group.name for group in groups}
    assert [strategy.rate(groups, number) for number in range(3)] == [1.0] * 3
    assert strategy.card.pretrained is (name == "full")


CLASSIFIERS = [kind for kind in ARCHITECTURES if kind != "marian"]


@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_each_parameter_is_in_one_group_from_the_embeddings_to_the_head(kind: str) -> None:
    model = tiny_model(kind)
    groups = layer_groups(model)
    listed = [name for group in groups for name in group.parameters]
    assert sorted(listed) == sorted(name for name, _ in model.named_parameters())
    assert sum(group.size for group in groups) == sum(parameter.numel() for parameter in model.parameters())
    layers = ["layer 0"] if kind == "albert" else ["layer 0", "layer 1"]
    if kind in ("t5", "bart"):
        layers = ["encoder 0", "encoder 1", "decoder 0", "decoder 1"]
    assert [group.name for group in groups] == ["embeddings", *layers, "head"]
    bottom, top = groups[0].parameters, groups[-1].parameters
    assert all(re.search("classif|score|pool|norm|ln_f|head", name) for name in top)
    assert any("classif" in name or "score" in name for name in top)
    assert any("embed" in name or "wte" in name or "shared" in name for name in bottom)


@pytest.mark.parametrize("kind", [kind for kind in CLASSIFIERS if kind not in ("albert", "t5", "bart")])
def test_a_layer_lies_above_those_before_it(kind: str) -> None:
    """Perturbing a group changes what comes out of it and above, and nothing below."""
    import torch

    model = tiny_model(kind).eval()
    groups = {group.name: group for group in layer_groups(model)}
    tokens = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        before = model(tokens, output_hidden_states=True).hidden_states
        for name in groups["layer 1"].parameters:
            model.get_parameter(name).add_(0.5)
        after = model(tokens, output_hidden_states=True).hidden_states
    assert torch.equal(before[0], after[0])
    assert torch.equal(before[1], after[1])
    assert not torch.equal(before[2], after[2])


@pytest.mark.parametrize("kind", ["t5", "bart", "marian"])
def test_a_decoder_lies_above_its_encoder(kind: str) -> None:
    groups = {group.name: group.parameters for group in layer_groups(tiny_model(kind, auto="AutoModelForSeq2SeqLM"))}
    assert [name for name in groups if name != "head"] == [
        "embeddings", "encoder 0", "encoder 1", "decoder 0", "decoder 1"
    ]  # fmt: skip
    assert all(".encoder." in f".{name}" for name in groups["encoder 1"])
    assert all(".decoder." in f".{name}" for name in groups["decoder 0"])
