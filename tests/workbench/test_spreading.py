"""One recipe spread over values of its settings: every combination, named by what differs, or none at all."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from workbench.errors import WorkbenchError
from workbench.recipe import PRETRAINED_RATE, parse
from workbench.spreading import Spread, read_axis, spread
from workbench.strategies import STRATEGIES

PLAIN = {"task": "sentiment", "data": "starter:sentiment", "backbone": "size:tiny", "strategy": "full"}


def over(*typed: str, **tables: Any) -> Spread:
    return spread(PLAIN | tables, typed)


def refused(*typed: str, **tables: Any) -> str:
    with pytest.raises(WorkbenchError) as caught:
        over(*typed, **tables)
    return str(caught.value)


def test_every_combination_is_a_recipe_named_by_what_differs() -> None:
    made = over("strategy=full,gradual", "seed=1,2", "training.epochs=0.5,1")
    assert made.words == "8 runs: strategy 2 × seed 2 × training.epochs 2"
    assert [recipe.label for recipe in made.recipes[:3]] == [
        "sentiment-full-seed1-epochs0.5", "sentiment-full-seed1-epochs1", "sentiment-full-seed2-epochs0.5",
    ]  # fmt: skip
    assert {(r.strategy.name, r.seed, r.training.epochs) for r in made.recipes} == {
        (name, seed, epochs) for name in ("full", "gradual") for seed in (1, 2) for epochs in (0.5, 1)
    }
    last = {"name": "sentiment-gradual-seed2-epochs1", "strategy": "gradual", "seed": 2, "training": {"epochs": 1}}
    assert made.recipes[-1] == parse(PLAIN | last)


@pytest.mark.parametrize(
    ("typed", "tables", "label"),
    [
        (["seed=1,2"], {"name": "mine"}, "mine"),
        (["seed=1,2"], {}, "sentiment-full"),
        (["strategy=full,gradual"], {}, "sentiment"),
        (["data=starter:sentiment,starter:emotions", "strategy=full,gradual"], {}, "group"),
    ],
)
def test_a_group_is_called_by_what_its_runs_share(typed: list[str], tables: dict[str, Any], label: str) -> None:
    tables = tables | ({"task": "multi-label", "data": "starter:emotions"} if label == "group" else {})
    assert over(*typed, **tables).label == label


def test_each_strategy_has_its_own_defaults_and_no_options_of_others() -> None:
    strategy = {"name": "gradual", "unfrozen_by": 0.3, "rate_decay": 0.9}
    made = over("strategy=full,gradual,layer-decay,head", strategy=strategy, backbone="bert")
    full, gradual, decay, head = (recipe.strategy.model_dump() for recipe in made.recipes)
    assert full == {"name": "full"}
    assert (gradual["unfrozen_by"], decay["rate_decay"], head) == (0.3, 0.9, {"name": "head"})
    assert [recipe.training.learning_rate for recipe in made.recipes] == [
        *[PRETRAINED_RATE] * 3, STRATEGIES["head"].card.rate,
    ]  # fmt: skip
    assert set(made.notes) == {
        "strategy.unfrozen_by is left out for full, head, layer-decay: no setting of theirs",
        "strategy.rate_decay is left out for full, head: no setting of theirs",
    }


def test_a_choice_is_made_before_its_settings_whatever_the_order_typed() -> None:
    made = over("strategy.rate_decay=0.8,0.9", "strategy=gradual,layer-decay")
    assert {(r.strategy.name, r.strategy.model_dump()["rate_decay"]) for r in made.recipes} == {
        (name, decay) for name in ("gradual", "layer-decay") for decay in (0.8, 0.9)
    }


def test_what_makes_no_recipe_is_named_and_nothing_is_left_of_the_rest() -> None:
    words = refused("strategy=full,head", "seed=1,2", task="instructions", data="starter:instructions")
    assert "strategy=head, seed=1: strategy.name: 'head': instructions puts no head" in words
    assert "strategy=head, seed=2" in words
    assert "strategy=full" not in words
    assert "did you mean" in refused("training.epoch=1,2")
    assert "and 3 more" in refused("seed=a,b,c,d,e,f,g,h")


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (["seed"], "not key=value"),
        (["=1"], "not key=value"),
        (["seed=1,,2"], "not key=value"),
        (["seed=1,2,1"], "seed=1 is named twice"),
        (["seed=1,2", "seed=3"], "seed is spread over twice"),
        (["strategy=full", "strategy.name=bias"], "strategy.name is spread over twice"),
        (["seed=1,01"], "are the same run"),
        (['strategy=full,"full"'], "are the same run"),
        ([f"seed={','.join(map(str, range(40)))}", f"data.rows={','.join(map(str, range(1, 41)))}"], "1600 runs"),
        ([], "nothing to spread over"),
    ],
)
def test_slips_are_refused(typed: list[str], words: str) -> None:
    assert words in refused(*typed)


def test_a_comma_inside_of_brackets_and_quotes_parts_nothing() -> None:
    assert read_axis('a.b=["x","y"],{c=1,d=2},"e,f",g').values == ('["x","y"]', "{c=1,d=2}", '"e,f"', "g")


@given(some.lists(some.text(min_size=1, max_size=12), max_size=3))
@settings(max_examples=100, deadline=None)
def test_anything_typed_is_a_group_or_an_error_for_people(typed: list[str]) -> None:
    with contextlib.suppress(WorkbenchError):
        assert over(*typed).recipes
