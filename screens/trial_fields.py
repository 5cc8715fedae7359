"""Which fields a model is asked with, and what a person types for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workbench.catalog import TASKS

LONG = frozenset({"context", "source"})
LONG_TASKS = frozenset({"instructions", "causal-pretraining"})
SEVERAL = frozenset({"embeddings", "similarity"})
"""Tasks whose `pair` may be several texts, or none."""

WRITTEN_ON = {"causal-pretraining": "prompt"}
"""Tasks that judge the texts of an evaluation set, and write on what is typed under another role."""

HINTS = {
    "masked-pretraining": "type a text with [MASK]",
    "causal-pretraining": "type how the text begins",
    "pair": "one text, or several with | between; may stay empty",
}


@dataclass(frozen=True)
class Field:
    """A line of the prompt; `long` ones keep the line ends of what is pasted."""

    role: str
    required: bool
    long: bool
    hint: str


def fields_for(task: str, found: Sequence[str] | None) -> tuple[Field, ...]:
    """Return the fields of a task's prompt.

    `found` are those that the run's evaluation set is asked with, nothing where it has none, None where that is not
    known yet: then the required ones alone are named.
    """
    if task in WRITTEN_ON:
        return (_field(task, WRITTEN_ON[task], True),)
    asked = {role: card.required for role, card in TASKS[task].roles.items() if card.asked} if task in TASKS else {}
    if task in SEVERAL:
        asked |= {"text": True, "pair": False}
    if found is None:
        roles = [role for role, required in asked.items() if required]
    else:
        roles = list(dict.fromkeys([*found, *(asked if not found or task in SEVERAL else ())]))
    return tuple(_field(task, role, asked.get(role, True)) for role in roles or ["text"])


def _field(task: str, role: str, required: bool) -> Field:
    long = role in LONG or task in LONG_TASKS
    hint = HINTS.get(task) or (HINTS["pair"] if task in SEVERAL and role == "pair" else "")
    return Field(role, required, long, hint or (f"type a {role}" if required else "may stay empty"))


def prompted(task: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an example as a person would ask them."""
    return {WRITTEN_ON[task]: next(iter(fields.values()))} if task in WRITTEN_ON else dict(fields)


def typed_value(task: str, role: str, text: str) -> Any:
    """Return the value of a field that stands for what was typed: several texts divided by bars are a list."""
    if task in SEVERAL and role == "pair" and " | " in text:
        return [part.strip() for part in text.split(" | ") if part.strip()]
    return text


def fits(fields: Sequence[Field], values: Mapping[str, Any]) -> bool:
    """Return whether earlier values can be asked again with these fields."""
    roles = {field.role for field in fields}
    return set(values) <= roles and all(field.role in values for field in fields if field.required)
