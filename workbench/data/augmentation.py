"""Texts changed at random, so that few of them go further: a pure function of the text and of a key. Light."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workbench.recipe.augment import Augment

UNPARTED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
"""Chinese and Japanese letters: no blank stands between their words, and each is taken for a word."""

WORDS = re.compile(rf"([{UNPARTED}]|[^\s{UNPARTED}]+)(\s*)")
ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
SLIPS = ("insert", "delete", "replace", "transpose")


@dataclass(frozen=True)
class Unit:
    """A word of a text and the `blank` behind it; `start` is where it stood at first, and so its name.

    One that is `kept` is never changed, moved or left out. Words are swapped within their `group` alone, and only those
    of group 0 are replaced by other words.
    """

    text: str
    blank: str
    start: int
    group: int = 0
    kept: bool = False

    @property
    def end(self) -> int:
        """Where the text went on behind it."""
        return self.start + len(self.text) + len(self.blank)


def units_of(text: str) -> list[Unit]:
    """Return the words of a text; what stands between blanks is one, and so is a Chinese or Japanese letter."""
    return [Unit(match[1], match[2], match.start()) for match in WORDS.finditer(text)]


def written(units: Sequence[Unit]) -> str:
    """Return the text that words are."""
    return "".join(unit.text + unit.blank for unit in units)


def augment(units: Sequence[Unit], settings: Augment, key: str) -> list[Unit]:
    """Return the words as `settings` change them, and `key` decides; of some words at least one is left.

    Deletion and swaps follow Wei and Zou 2019 (EDA). Each way of change draws for itself, so that one more leaves what
    the others do as it is.
    """
    changed = list(units)
    if settings.crop < 1:
        changed = cropped(changed, settings.crop, random.Random(f"{key} crop"))
    if settings.swap:
        changed = swapped(changed, settings.swap, random.Random(f"{key} swap"))
    if settings.delete:
        changed = thinned(changed, settings.delete, random.Random(f"{key} delete"))
    if settings.noise:
        changed = noisy(changed, settings.noise, random.Random(f"{key} noise"))
    return changed


def cropped(units: Sequence[Unit], least: float, draw: random.Random) -> list[Unit]:
    """Return a random span of the words: a share of them between `least` and 1, and all that are kept."""
    length = max(1, ceil(len(units) * draw.uniform(least, 1)))
    start = draw.randint(0, max(0, len(units) - length))
    kept = [number for number, unit in enumerate(units) if unit.kept]
    end = max([start + length, *(number + 1 for number in kept)])
    return list(units[min([start, *kept]) : end])


def swapped(units: Sequence[Unit], share: float, draw: random.Random) -> list[Unit]:
    """Return the words, about a share of them with a neighbour in their place; blanks stay where they are."""
    changed, place = list(units), 0
    # At each place a pair is exchanged, and passed over, with a chance that makes the share that moves the one asked.
    chance = share / (2 - share)
    while place + 1 < len(changed):
        one, other = changed[place : place + 2]
        if draw.random() < chance and one.group == other.group and not (one.kept or other.kept):
            changed[place : place + 2] = replace(other, blank=one.blank), replace(one, blank=other.blank)
            place += 1
        place += 1
    return changed


def thinned(units: Sequence[Unit], share: float, draw: random.Random) -> list[Unit]:
    """Return the words without about a share of them; one stays in any case."""
    left = [unit for unit in units if draw.random() >= share or unit.kept]
    return left or [draw.choice(units)] if units else []


def noisy(units: Sequence[Unit], share: float, draw: random.Random) -> list[Unit]:
    """Return the words with about a share of their characters mistyped; no word is left empty."""
    letters = "".join(unit.text for unit in units)
    typed = [unit.text if unit.kept else _mistyped(unit.text, share, letters, draw) for unit in units]
    return [unit if text == unit.text else replace(unit, text=text) for unit, text in zip(units, typed, strict=True)]


def _mistyped(word: str, share: float, letters: str, draw: random.Random) -> str:
    typed: list[str] = []
    place = 0
    while place < len(word):
        char, last = word[place], place + 1 == len(word)
        slip = draw.choice(SLIPS) if draw.random() < share else ""
        if slip == "transpose" and not last:
            typed += [word[place + 1], char]
            place += 1
        elif slip == "insert":
            typed += [char, _near(char, letters, draw)]
        elif slip == "delete" and (typed or not last):
            pass
        else:
            typed.append(_near(char, letters, draw) if slip else char)
        place += 1
    return "".join(typed)


def _near(char: str, letters: str, draw: random.Random) -> str:
    """Return what may be typed in place of a character: a key beside it, or any other of the text's letters."""
    near = KEYS.get(char.lower())
    if not near:
        return draw.choice(letters)
    key = draw.choice(near)
    return key.upper() if char.isupper() else key


def _keys() -> dict[str, str]:
    """Return letter → the letters beside it on a QWERTY keyboard, whose rows are shifted by half a key."""
    keys = {}
    for number, row in enumerate(ROWS):
        above = ROWS[number - 1] if number else ""
        below = ROWS[number + 1] if number + 1 < len(ROWS) else ""
        for place, key in enumerate(row):
            beside = row[max(0, place - 1) : place] + row[place + 1 : place + 2]
            keys[key] = beside + above[place : place + 2] + below[max(0, place - 1) : place + 1]
    return keys


KEYS = _keys()
