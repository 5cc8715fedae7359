"""What the form of a new run offers, in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from screens.new_form import Draft, Field
from screens.new_paths import backbone_problem, completions, data_problem, known_data
from screens.rows import short_name
from screens.widgets.form import Entry
from screens.widgets.picker import Option
from store.runs import Run
from workbench.catalog import STRATEGIES, TASKS, BackboneCard, why_unusable
from workbench.errors import WorkbenchError
from workbench.text import plain, quantity, size

SOURCES = ("data.train", "data.validation", "strategy.texts")
"""The settings that say where rows are."""

TYPED = "+"
"""The value of the option that opens a line to type a folder or a Hub id on."""


def task_options(long: bool) -> list[Option]:
    """Return the tasks, with help where there is room for it."""
    return [Option(name, card.title, card.help if long else "") for name, card in TASKS.items()]


def strategy_options(long: bool, draft: Draft) -> list[Option]:
    """Return the strategies, with help where there is room for it; what makes no sense for the task says why."""
    return [
        Option(name, card.title, card.help if long else "", draft.senseless(name)) for name, card in STRATEGIES.items()
    ]


def given_up(before: Draft, after: Draft) -> str:
    """Return why the strategy of a draft gave way to another when its task or backbone changed, or nothing."""
    left, taken = before.get("strategy.name"), after.get("strategy.name")
    reason = after.senseless(left) if left != taken and left in STRATEGIES else ""
    return f"strategy {left} → {taken}: {reason}" if reason else ""


def backbone_options(cards: Sequence[BackboneCard], draft: Draft) -> list[Option]:
    """Return the backbones on this box and the one typed in; what cannot be used says why."""
    chosen, task, strategy = (str(draft.get(f"{table}.name")) for table in ("backbone", "task", "strategy"))
    options = [
        Option(card.name, plain(card.title), _card_words(card), why_unusable(card, task, strategy)) for card in cards
    ]  # fmt: skip
    if all(card.name != chosen for card in cards):
        options.insert(0, Option(chosen, short_name(chosen), "typed in" if "size:" not in chosen else "no weights"))
    return [*options, Option(TYPED, "+ folder or Hub id …", "type where it is")]


def _card_words(card: BackboneCard) -> str:
    weights = quantity(card.parameters) if card.parameters is not None else ""
    return f"{weights:>7}  {card.where}"


def choice_hint(kind: str, value: str | None, cards: Sequence[BackboneCard], draft: Draft) -> str:
    """Return one line on the choice under the cursor, or why it cannot be had."""
    if kind == "strategy" and value and (reason := draft.senseless(value)):
        return reason
    if kind == "task" and value in TASKS:
        return TASKS[value].help
    if kind == "strategy" and value in STRATEGIES:
        return STRATEGIES[value].help
    if kind == "backbone" and value == TYPED:
        return "a folder with a model, or the name of one on the Hub, which is fetched when the run starts"
    card = next((card for card in cards if card.name == value), None)
    if card is None:
        return plain(value or "")
    facts = [card.architecture, size(card.bytes) if card.bytes else "", card.where, card.problem]
    return plain(f"{card.name}: {', '.join(fact for fact in facts if fact)}")


def setting_hint(entry: Field) -> str:
    """Return one line on the setting under the cursor: what it is for and how it is changed."""
    how = "^e changes it, in TOML" if entry.kind == "tables" else "enter changes it"
    how = "space or ← → step through" if entry.choices else how
    back = " · backspace: back to the default" if entry.changed else ""
    return f"{entry.help} · {how}{back}"


def entries_of(fields: Sequence[Field], problems: Sequence[str]) -> list[Entry]:
    """Return settings as the form shows them; a setting that the recipe refuses says so."""
    said = {path: text.strip() for path, _, text in (line.partition(":") for line in problems)}
    return [
        Entry(entry.path, entry.label, entry.shown, entry.help, entry.changed, said.get(entry.path, ""))
        for entry in fields
    ]


def offers_for(path: str, runs: Sequence[Run]) -> Callable[[str], Sequence[str]] | None:
    """Return what completes a path while it is typed, or None where a setting is no path."""
    if path == "backbone.name":
        return lambda typed: completions(typed, folders_only=True)
    if path in SOURCES:
        known = known_data([run.dataset for run in runs])
        return lambda typed: completions(typed, known=known)
    return None


def wrong(draft: Draft, path: str, typed: str) -> str:
    """Return what is wrong with a value typed for a setting, or nothing."""
    try:
        draft.type(path, typed)
    except WorkbenchError as error:
        return error.what
    if not typed.strip():
        return ""
    if path == "backbone.name":
        return backbone_problem(typed, str(draft.get("task.name")), str(draft.get("strategy.name")))
    return data_problem(typed) if path in SOURCES else ""
