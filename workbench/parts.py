"""What tasks and strategies are made of beside their code: a table of the recipe, and a card for the catalog. Light."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

WORDWISE = ("delete", "swap", "crop", "noise", "masked")
"""The kinds of augmentation that change words one by one."""

AUGMENTED = (*WORDWISE, "translated")
"""All kinds of augmentation."""


class Part(BaseModel):
    """A table of the recipe."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, str_strip_whitespace=True)


class TaskOptions(Part):
    """The recipe's table of a task; each task adds `name` and its own settings.

    Blanks are kept: a column or a separator may be made of them.
    """

    model_config = ConfigDict(str_strip_whitespace=False)

    name: Any


class StrategyOptions(Part):
    """The recipe's table of a strategy; each strategy adds `name` and its own settings."""

    name: Any


@dataclass(frozen=True)
class Role:
    """A column that a task reads, `names` being what it usually goes by.

    `asked` tells what the model is asked from the right answer to it. `required` is a column that must be there, with
    `in_prompts` in a prompt too; with `blank` a row may have nothing in it. `unless` names a role in whose company this
    one is neither looked for nor missed: rows may be laid out in one of two ways. `kind` is what the column holds
    (text, list, number, answers): the only column of that kind is taken where no name is usual; nothing is never
    guessed so.
    """

    names: tuple[str, ...]
    asked: bool = True
    required: bool = True
    blank: bool = False
    in_prompts: bool = True
    kind: str = ""
    unless: str = ""


@dataclass(frozen=True)
class TaskCard:
    """`metrics` are those of an evaluation; `goal` is the one that picks the best model.

    `family` is the kind of architecture that a `size:` builds for the task: encoder, decoder or encoder-decoder.
    `max_length` is the recipe's where it says nothing, in tokens. `starter` names a set that ships for the task.
    `able_untrained` is whether a pretrained backbone can do it as it is: then it is evaluated before the first update.
    `per_token` is whether its metrics are means over tokens, which tell nothing beside those of another tokenizer.
    `head` is whether it puts a head of its own on the backbone; `pretraining` whether it learns from raw text.
    `remedies` are the settings of training that not every task can have and that this one can.
    `per_text` is whether the model's output is one row of numbers for each text; `labelled` whether right answers are
    of few kinds, which `count_golds` counts. `augmented` are the kinds of augmentation after which a right answer is
    still right, `unaugmented` says why the others are none.
    """

    title: str
    help: str
    roles: dict[str, Role]
    metrics: tuple[str, ...]
    goal: str
    family: str = "encoder"
    max_length: int = 128
    starter: str = ""
    able_untrained: bool = False
    per_token: bool = False
    head: bool = True
    pretraining: bool = False
    per_text: bool = False
    remedies: tuple[str, ...] = ()
    labelled: bool = False
    augmented: tuple[str, ...] = ()
    unaugmented: str = ""


@dataclass(frozen=True)
class StrategyCard:
    """What the catalog says of a strategy.

    `pretrained` is whether it starts from the backbone's weights, `partial` whether a part of these never learns, which
    then must have been trained before. `rate` is the learning rate where the recipe says nothing and the weights are
    pretrained, None for the recipe's own default. `pretrains` is whether the queue puts a run on raw text before it.
    """

    title: str
    help: str
    pretrained: bool = True
    partial: bool = False
    rate: float | None = None
    pretrains: bool = False
