"""The optimiser: what is pulled to zero, at which rate each group learns, and how the rate moves."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some

from tests.making import ARCHITECTURES, tiny_model
from workbench.recipe import Training
from workbench.strategies.full import Full
from workbench.strategies.gradual import Gradual
from workbench.strategies.groups import strategy_groups
from workbench.training.optimiser import build_optimiser, rate_at, set_rate


def norms_and_biases(model: torch.nn.Module) -> set[str]:
    """Return the names of biases and of all parameters of normalising modules, by the modules' classes."""
    names = [name for name, _ in model.named_parameters()]
    found = {name for name in names if name.endswith(".bias") or "attention_bias" in name}
    for name, module in model.named_modules():
        if "norm" in type(module).__name__.lower():
            found |= {f"{name}.{own}" for own, _ in module.named_parameters(recurse=False)}
    return found


@pytest.mark.parametrize("kind", [kind for kind in ARCHITECTURES if kind != "marian"])
def test_biases_and_norms_are_not_pulled_to_zero(kind: str) -> None:
    model = tiny_model(kind)
    training = Training(weight_decay=0.1)
    full = Full(Full.Options())
    optimiser = build_optimiser(model, strategy_groups(model, full), full, training)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    decayed = {names[id(each)]: table["weight_decay"] for table in optimiser.param_groups for each in table["params"]}
    assert sorted(decayed) == sorted(names.values())
    assert {name for name, decay in decayed.items() if decay == 0} == norms_and_biases(model)
    assert set(decayed.values()) == {0.0, 0.1}


def test_each_group_learns_at_its_share_of_the_rate() -> None:
    model = tiny_model("bert")
    gradual = Gradual(Gradual.Options(rate_decay=0.5))
    groups = strategy_groups(model, gradual)
    optimiser = build_optimiser(model, groups, gradual, Training())
    set_rate(optimiser, 0.8)
    rates = {id(each): table["lr"] for table in optimiser.param_groups for each in table["params"]}
    by_group = {group.name: {rates[id(model.get_parameter(name))] for name in group.parameters} for group in groups}
    assert by_group == {"embeddings": {0.1}, "layer 0": {0.2}, "layer 1": {0.4}, "head": {0.8}}


plans = some.builds(
    Training,
    learning_rate=some.floats(1e-6, 1),
    schedule=some.sampled_from(["linear", "cosine", "constant", "inverse-sqrt", "wsd"]),
    warmup=some.floats(0, 0.99),
)


@given(training=plans, updates=some.integers(1, 200))
def test_the_rate_rises_to_its_peak_then_never_again_and_is_never_zero(training: Training, updates: int) -> None:
    rates = [rate_at(step, updates, training) for step in range(updates)]
    assert all(0 < rate <= training.learning_rate for rate in rates)
    warmup = math.ceil(updates * training.warmup)
    assert all(before < after for before, after in pairwise(rates[: warmup + 1]))
    assert all(before >= after for before, after in pairwise(rates[warmup:]))
    if warmup < updates:
        assert rates[warmup] == training.learning_rate


def test_the_schedules_fall_as_their_names_say() -> None:
    def rates(schedule: str) -> list[float]:
        training = Training.model_validate({"learning_rate": 1.0, "warmup": 0.2, "schedule": schedule})
        return [rate_at(step, 10, training) for step in range(10)]

    rise = [1 / 3, 2 / 3]
    assert rates("constant") == pytest.approx([*rise, *[1.0] * 8])
    assert rates("linear") == pytest.approx([*rise, *(1 - step / 8 for step in range(8))])
    assert rates("cosine") == pytest.approx([*rise, *((1 + math.cos(math.pi * step / 8)) / 2 for step in range(8))])


def rates_of(updates: int, **settings: Any) -> list[float]:
    training = Training.model_validate({"learning_rate": 1.0, **settings})
    return [rate_at(step, updates, training) for step in range(updates)]


def test_inverse_sqrt_is_the_formula_of_the_transformer() -> None:
    found = rates_of(100, schedule="inverse-sqrt", warmup=0.19)
    numbers = range(1, 101)
    # Vaswani et al. 2017, section 5.3, over its own peak.
    wanted = [min(number**-0.5, number * 20**-1.5) / 20**-0.5 for number in numbers]
    assert found == pytest.approx(wanted)
    assert (found[0], found[19], found[-1]) == pytest.approx((1 / 20, 1.0, (20 / 100) ** 0.5))


def test_wsd_stays_at_its_peak_and_falls_in_the_last_fifth_as_one_minus_a_root() -> None:
    found = rates_of(100, schedule="wsd", warmup=0.1)
    assert found[:10] == pytest.approx([(step + 1) / 11 for step in range(10)])
    assert found[10:81] == [1.0] * 71
    assert found[80:] == pytest.approx([1 - ((step - 80) / 20) ** 0.5 for step in range(80, 100)])


def test_wsd_with_a_long_warm_up_falls_all_the_rest() -> None:
    found = rates_of(10, schedule="wsd", warmup=0.9)
    assert found == pytest.approx([*(step / 10 for step in range(1, 10)), 1.0])


def test_slanted_triangular_is_the_formula_of_its_paper() -> None:
    updates, cut_frac, ratio = 200, 0.1, 32
    cut = int(updates * cut_frac)

    def share(step: int) -> float:
        # Howard and Ruder 2018, equation 3.
        p = step / cut if step < cut else 1 - (step - cut) / (cut * (1 / cut_frac - 1))
        return (1 + p * (ratio - 1)) / ratio

    found = rates_of(updates, schedule="slanted-triangular", warmup=0.5)
    assert found == pytest.approx([share(step) for step in range(updates)])
    assert (found[0], found[cut]) == pytest.approx((1 / 32, 1.0))
    assert 1 / 32 < found[-1] < 1 / 32 + 1 / 180


@given(updates=some.integers(2, 200))
def test_slanted_triangular_has_one_peak_and_never_falls_below_its_lowest(updates: int) -> None:
    found = rates_of(updates, schedule="slanted-triangular")
    peak = found.index(1.0)
    assert all(before < after for before, after in pairwise(found[: peak + 1]))
    assert all(before > after for before, after in pairwise(found[peak:]))
    assert min(found) >= 1 / 32


def test_a_range_test_multiplies_the_rate_by_the_same_at_each_update() -> None:
    found = rates_of(50, schedule="range-test", warmup=0.5)
    assert (found[0], found[-1]) == pytest.approx((1e-3, 1.0))
    assert [after / before for before, after in pairwise(found)] == pytest.approx([1000 ** (1 / 49)] * 49)
    assert rates_of(1, schedule="range-test") == pytest.approx([1e-3])
