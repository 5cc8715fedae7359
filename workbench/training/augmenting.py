"""The rows of training as an epoch sees them: changed at random, each by its seed, epoch and number alone."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.data.augmentation import Unit, augment, units_of, written
from workbench.data.features import Example
from workbench.data.prepare import Prepared
from workbench.recipe import Recipe
from workbench.text import count
from workbench.training.events import Noted
from workbench.training.writers import Filler, Translator, load_filler, load_translator

if TYPE_CHECKING:
    from accelerate import Accelerator

CHUNK = 128
"""Texts that a model writes between two looks at the clock; what it wrote is in the run folder then."""

TELL_SECONDS = 1.0
"""Seconds between two words on how far the models are."""

EPOCHS_KEPT = 2
"""Epochs whose filled-in words stay on disk: an older checkpoint has them written again."""

Text = tuple[int, int, str]
"""A text of training in an epoch: the number of its example, how often this was seen before, and its role."""


@dataclass
class Augmenter:
    """Changes the examples of training as `recipe.augment` says.

    What models write is kept in the run folder: translations for good, as a text has but one, and the words filled in
    for each epoch. It does not depend on what is written beside it, so that it does not matter when a run is resumed.
    """

    recipe: Recipe
    folder: Path
    data: Prepared
    accelerator: Accelerator
    translations: dict[Text, str] = field(default_factory=dict)
    words: dict[Text, dict[int, str]] = field(default_factory=dict)
    _translator: Translator | None = None
    _filler: Filler | None = None

    @property
    def writes(self) -> bool:
        """Whether a model writes a part of what is new."""
        return bool(self.recipe.augment.translated or self.recipe.augment.masked)

    def example(self, number: int, copy: int, epoch: int) -> Example:
        """Return an example of training as an epoch sees it for the first time, or again (`copy`)."""
        task, example, key = self.data.task, self.data.train[number], self._key(number, copy, epoch)
        passages = task.passages(example)
        changed: dict[str, list[Unit]] = {}
        for role, units in passages.items():
            new = self._filled(self._translated(units, number, role, key), (number, copy, role))
            new = augment(new, self.recipe.augment, f"{key} {role}")
            if new != units:
                changed[role] = new
        return task.rewritten(example, passages | changed) if changed else example

    def prepare(
        self, rows: Iterable[tuple[int, int]], epoch: int, step: int, stop: Callable[[], bool] = lambda: False
    ) -> Iterator[Noted]:
        """Let the models write what an epoch needs for its examples (number, copy); say how far they are.

        Ends early where `stop` says so: then nothing may be trained.
        """
        if not self.writes:
            return
        import torch

        seen = sorted(set(rows))
        self.folder.mkdir(mode=0o700, exist_ok=True)
        # Loading a model may draw numbers: a later attempt, which does not load it, must go on from the same ones.
        with self.accelerator.main_process_first(), torch.random.fork_rng():
            if self.recipe.augment.translated:
                yield from self._translate(seen, epoch, step, stop)
            if self.recipe.augment.masked and not stop():
                yield from self._fill(seen, epoch, step, stop)

    def _key(self, number: int, copy: int, epoch: int) -> str:
        return f"augment {self.recipe.seed} {epoch} {number} {copy}"

    def _is_translated(self, key: str) -> bool:
        return random.Random(f"{key} translated").random() < self.recipe.augment.translated

    def _translated(self, units: list[Unit], number: int, role: str, key: str) -> list[Unit]:
        """Return the words of a text, or those of its translation where this epoch has it translated."""
        if not self._is_translated(key):
            return units
        return units_of(self.translations[number, 0, role])

    def _filled(self, units: list[Unit], text: Text) -> list[Unit]:
        """Return words with those replaced that the masked model wrote for this epoch."""
        new = self.words.get(text, {})
        return [replace(unit, text=new.get(number, unit.text)) for number, unit in enumerate(units)] if new else units

    def _translate(
        self, seen: Sequence[tuple[int, int]], epoch: int, step: int, stop: Callable[[], bool]
    ) -> Iterator[Noted]:
        """Have the texts translated that this epoch wants so, and none before did."""
        file = Kept(self.folder / "translated.jsonl")
        self.translations |= {text: str(new) for text, new in file.read()}
        wanted: dict[Text, str] = {}
        for number, copy in seen:
            if self._is_translated(self._key(number, copy, epoch)):
                passages = self.data.task.passages(self.data.train[number])
                wanted |= {(number, 0, role): written(units) for role, units in passages.items()}
        lacking = [text for text in wanted if text not in self.translations]
        progress = Telling(step, "translated there and back", len(lacking))
        for texts in self._chunks(lacking, stop):
            if self._translator is None:
                self._translator = load_translator(self.recipe, self.folder.parent, self.accelerator.device)
            new = dict(zip(texts, self._translator.translate([wanted[text] for text in texts]), strict=True))
            self.translations |= new
            file.add(new)
            yield from progress.told(len(texts))

    def _fill(
        self, seen: Sequence[tuple[int, int]], epoch: int, step: int, stop: Callable[[], bool]
    ) -> Iterator[Noted]:
        """Have words filled into the texts of this epoch."""
        file = Kept(self.folder / f"words-{epoch:06d}.jsonl")
        self.words = {text: {int(place): word for place, word in new.items()} for text, new in file.read()}
        for old in self.folder.glob("words-*.jsonl"):
            if int(old.stem.removeprefix("words-")) <= epoch - EPOCHS_KEPT:
                old.unlink(missing_ok=True)
        lacking = [
            (number, copy, role)
            for number, copy in seen
            for role in self.data.task.passages(self.data.train[number])
            if (number, copy, role) not in self.words
        ]
        progress = Telling(step, "given other words", len(lacking))
        for texts in self._chunks(lacking, stop):
            if self._filler is None:
                self._filler = load_filler(self.recipe, self.folder.parent, self.accelerator.device)
            new = self._words(self._filler, texts, epoch)
            self.words |= new
            file.add(new)
            yield from progress.told(len(texts))

    def _chunks(self, lacking: Sequence[Text], stop: Callable[[], bool]) -> Iterator[Sequence[Text]]:
        """Yield the texts in parts, in the process that writes alone: the others read what it wrote."""
        for start in range(0, len(lacking), CHUNK):
            if stop() or not self.accelerator.is_main_process:
                return
            yield lacking[start : start + CHUNK]

    def _words(self, filler: Filler, texts: Sequence[Text], epoch: int) -> dict[Text, dict[int, str]]:
        passages, draws = [], []
        for number, copy, role in texts:
            key = self._key(number, copy, epoch)
            units = self.data.task.passages(self.data.train[number])[role]
            passages.append(self._translated(units, number, role, key))
            draws.append(random.Random(f"{key} {role} masked"))
        share = self.recipe.augment.masked
        chosen = [filler.chosen(units, share, draw) for units, draw in zip(passages, draws, strict=True)]
        asked = [place for place, own in enumerate(chosen) if own]
        said = filler.fill(
            [passages[place] for place in asked], [chosen[place] for place in asked], [draws[place] for place in asked]
        )
        words: dict[Text, dict[int, str]] = {text: {} for text in texts}
        return words | {texts[place]: new for place, new in zip(asked, said, strict=True)}


@dataclass(frozen=True)
class Kept:
    """What models wrote for texts, in a file of the run folder: lines of JSON, of which a torn last one is left out."""

    path: Path

    def read(self) -> Iterator[tuple[Text, Any]]:
        """Yield each text with what was written for it."""
        lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True) if self.path.exists() else []
        for line in lines:
            if line.endswith("\n"):
                row = json.loads(line)
                yield (row["row"], row["copy"], row["role"]), row["new"]

    def add(self, new: dict[Text, Any]) -> None:
        """Add what was written for some texts."""
        whole = self.path.read_bytes().rpartition(b"\n") if self.path.exists() else (b"", b"", b"")
        if whole[2]:
            self.path.write_bytes(whole[0] + whole[1])
        with self.path.open("a", encoding="utf-8") as stream:
            for (row, copy, role), each in new.items():
                stream.write(json.dumps({"row": row, "copy": copy, "role": role, "new": each}) + "\n")


@dataclass
class Telling:
    """Tells how far models are that write for a second or longer."""

    step: int
    what: str
    texts: int
    done: int = 0
    since: float = field(default_factory=time.monotonic)

    def told(self, more: int) -> Iterator[Noted]:
        """Count texts, and say how many are done, once a second."""
        self.done += more
        now = time.monotonic()
        if now - self.since >= TELL_SECONDS:
            self.since = now
            yield Noted(self.step, "augment", f"{count(self.done)} of {count(self.texts)} texts {self.what}")
