"""Models that write for augmentation: words that a masked model fills in, and texts translated there and back."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.abilities import why_unable
from workbench.catalog import describe_backbone
from workbench.data.augmentation import Unit, written
from workbench.data.features import Example
from workbench.errors import WorkbenchError
from workbench.inference.loaded import load_model
from workbench.inference.scoring import score
from workbench.models.backbones import find_model
from workbench.models.parents import PREFIX, kept_model
from workbench.recipe import Recipe
from workbench.tasks.masked_pretraining import MASKS, Guess, MaskedPretraining
from workbench.tasks.task import Task
from workbench.tasks.translation import Translation
from workbench.training.model import load_tokenizer, load_weights, longest_input
from workbench.training.publish import refuse_damaged

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

CORE = re.compile(r"\w(?:.*\w)?", re.DOTALL)
"""What of a word a model replaces: not the marks around it."""

STARTS = ("Ġ", "▁")
"""What a token begins with that begins a word, where a tokenizer marks these; BERT's marks the others, with ##."""

LONGEST = 512
"""Tokens of a text that are translated at most: what these models were trained on."""


@dataclass(frozen=True)
class Writer:
    """A model that was loaded to write; `limit` is the longest text that it reads, in tokens."""

    task: Task
    tokenizer: PreTrainedTokenizerBase
    model: PreTrainedModel
    limit: int

    def say(self, texts: Sequence[str], role: str) -> list[Any]:
        """Return what the model says of each text, whatever the others are: no random number is drawn."""
        examples = [Example({role: text}) for text in texts]
        questions = self.task.questions(self.tokenizer, examples, self.limit)
        return score(self.task, self.model, self.tokenizer, questions, self.limit)


@dataclass(frozen=True)
class Filler:
    """Replaces words by what a masked model would write there, as a draw decides among its likeliest ones."""

    writer: Writer

    def chosen(self, units: Sequence[Unit], share: float, draw: random.Random) -> list[int]:
        """Return the numbers of the words that are to be replaced, about a share of those that may be."""
        if any(mask in written(units) for mask in (*MASKS, str(self.writer.tokenizer.mask_token))):
            return []
        free = [not (unit.kept or unit.group) and CORE.search(unit.text) is not None for unit in units]
        return [number for number, each in enumerate(free) if draw.random() < share and each]

    def fill(
        self, passages: Sequence[Sequence[Unit]], chosen: Sequence[Sequence[int]], draws: Sequence[random.Random]
    ) -> list[dict[int, str]]:
        """Return for each passage its replaced words: number → what it is now."""
        mask = str(self.writer.tokenizer.mask_token)
        hidden = [
            [
                replace(unit, text=CORE.sub(lambda _: mask, unit.text)) if number in set(own) else unit
                for number, unit in enumerate(units)
            ]
            for units, own in zip(passages, chosen, strict=True)
        ]
        said = self.writer.say([written(units) for units in hidden], "text")
        return [
            {number: self._word(units[number].text, guess, draw) for number, guess in zip(own, guesses, strict=False)}
            for units, own, guesses, draw in zip(passages, chosen, said, draws, strict=True)
        ]

    def _word(self, word: str, guess: Guess, draw: random.Random) -> str:
        """Return a word with its core replaced by one of the guesses, or as it is where none of them is a word."""
        found = CORE.search(word)
        assert found is not None
        core, words = found[0], {}
        for token, log in zip(guess.tokens, guess.logs, strict=True):
            text = self._written(token)
            if text and text.casefold() != core.casefold():
                words[text] = math.exp(log)
        if not words or not math.fsum(words.values()):
            return word
        new = draw.choices(list(words), list(words.values()))[0]
        new = new.capitalize() if core[0].isupper() and new.islower() else new
        return word[: found.start()] + new + word[found.end() :]

    def _written(self, token: int) -> str:
        """Return the whole word that a token is, or nothing where it is none."""
        tokenizer = self.writer.tokenizer
        piece, text = str(tokenizer.convert_ids_to_tokens(token)), str(tokenizer.decode([token])).strip()
        begins = piece.startswith(STARTS) if self._starts_marked else not piece.startswith("##")
        return text if begins and text.isalnum() and token not in tokenizer.all_special_ids else ""

    @cached_property
    def _starts_marked(self) -> bool:
        return any(piece.startswith(STARTS) for piece in self.writer.tokenizer.get_vocab())


@dataclass(frozen=True)
class Translator:
    """Puts texts into another language and back: the same text each time."""

    there: Writer
    back: Writer

    def translate(self, texts: Sequence[str]) -> list[str]:
        """Return the texts as they come back; one of which nothing comes back is as it was."""
        return [new or old for new, old in zip(_through(self.back, _through(self.there, texts)), texts, strict=True)]


def load_filler(recipe: Recipe, folder: Path, device: torch.device) -> Filler:
    """Load the masked model of a recipe; raise a WorkbenchError where it has no masked head."""
    name, setting = recipe.augment.masked_model, "augment.masked_model"
    found = (
        _folder(folder, setting, name) if name else find_model(recipe.backbone.name, recipe.backbone.revision, setting)
    )
    hint = "Name a model with a masked head, such as bert-base-uncased, in augment.masked_model."
    where = f"{setting}: {name or recipe.backbone.name}"
    card = describe_backbone(found, found.name, found.name, "")
    problem = card.problem or why_unable(MaskedPretraining.auto, card.architecture)
    if problem:
        raise WorkbenchError(problem, where=where, hint=hint)
    task, tokenizer = MaskedPretraining(MaskedPretraining.Options(name="masked-pretraining"), {}), load_tokenizer(found)
    model, info = load_weights(task, found)
    if info["missing_keys"] or tokenizer.mask_token is None:
        raise WorkbenchError("it has no masked head to write words with", where=where, hint=hint)
    return Filler(_writer(task, tokenizer, model, device))


def load_translator(recipe: Recipe, folder: Path, device: torch.device) -> Translator:
    """Load the two translation models of a recipe; raise a WorkbenchError where one cannot translate."""
    there, back = (_load_translation(recipe, folder, key, device) for key in ("there", "back"))
    return Translator(there, back)


def _load_translation(recipe: Recipe, folder: Path, key: str, device: torch.device) -> Writer:
    setting, name = f"augment.{key}", str(getattr(recipe.augment, key))
    found = _folder(folder, setting, name)
    card = describe_backbone(found, found.name, found.name, "")
    problem = card.problem or why_unable(Translation.auto, card.architecture)
    if problem:
        raise WorkbenchError(problem, where=f"{setting}: {name}", hint="Name a translation model, such as a Marian.")
    if (found / "workbench.json").exists():
        loaded = load_model(found)
        if isinstance(loaded.task, Translation):
            return _writer(loaded.task, loaded.tokenizer, loaded.model, device)
    task, tokenizer = Translation(Translation.Options(name="translation"), {}), load_tokenizer(found)
    model, _ = load_weights(task, found)
    return _writer(task, tokenizer, model, device)


def _writer(task: Task, tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel, device: torch.device) -> Writer:
    import torch

    torch.nn.Module.to(model, device)
    return Writer(task, tokenizer, model.eval(), min(longest_input(model, tokenizer), LONGEST))


def _through(writer: Writer, texts: Sequence[str]) -> list[str]:
    said = writer.say(texts, "source")
    return [str(writer.tokenizer.decode(tokens, skip_special_tokens=True)).strip() for tokens, _, _ in said]


def _folder(folder: Path, setting: str, name: str) -> Path:
    found = kept_model(folder, setting, name) if name.startswith(PREFIX) else find_model(name, None, setting)
    refuse_damaged(found)
    return found
