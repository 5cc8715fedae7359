"""Which column is which: named by the recipe, found by its usual name, or the only one of its kind."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence

from workbench.data.types import kind_of_words
from workbench.errors import WorkbenchError
from workbench.parts import Role


def choose_columns(
    roles: Mapping[str, Role],
    named: Mapping[str, str | None],
    columns: Sequence[str],
    where: str,
    types: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return role → column, for each role that has one; raise a WorkbenchError where a required one has none.

    A column that the recipe names must exist. One that it does not name is found by its usual name, any case, which
    may stand behind the last dot of the column's; then, where `types` tells what columns hold, by being the only
    one left of the role's kind.
    """
    chosen: dict[str, str] = {}
    for role, card in roles.items():
        wanted = named.get(role)
        if wanted is not None and wanted not in columns:
            near = _near(wanted, columns)
            guess = f'; did you mean "{near}"?' if near else ""
            raise WorkbenchError(f"no column {wanted!r}{guess}", where=where, hint=_columns(columns), code="no-column")
        if wanted is None and card.unless and (card.unless in chosen or named.get(card.unless) is not None):
            continue
        found = wanted or _usual(card, columns, {*chosen.values(), *named.values()})
        if found is not None:
            chosen[role] = found
    for role, card in roles.items():
        if role in chosen or not card.required or card.unless in chosen:
            continue
        left = [column for column in columns if column not in chosen.values()]
        alike = [column for column in left if card.kind and kind_of_words((types or {}).get(column, "")) == card.kind]
        if len(alike) != 1:
            raise WorkbenchError(
                f"cannot tell which column is the {role}",
                where=where,
                hint=f'{_columns(columns)} Name it in the recipe: [task] {role} = "...".',
                code="no-column",
            )
        chosen[role] = alike[0]
    return {role: chosen[role] for role in roles if role in chosen}


def guesses_in(roles: Mapping[str, Role], named: Mapping[str, str | None], chosen: Mapping[str, str]) -> list[str]:
    """Return in words which of the chosen columns neither the recipe nor a usual name tells."""
    return [
        f"{role} is taken from column {column!r}: the only {roles[role].kind} column left"
        for role, column in chosen.items()
        if named.get(role) is None and _usual(roles[role], [column], ()) is None
    ]


def _usual(card: Role, columns: Sequence[str], taken: Iterable[str | None]) -> str | None:
    """Return the first free column of a usual name; a whole name goes before one behind a dot."""
    free = [column for column in columns if column not in taken]
    whole = {column.lower(): column for column in reversed(free)}
    behind: dict[str, list[str]] = {}
    for column in free:
        behind.setdefault(column.rpartition(".")[2].lower(), []).append(column)
    found = next((whole[name] for name in card.names if name in whole), None)
    return found or next((behind[name][0] for name in card.names if len(behind.get(name, ())) == 1), None)


def _near(wanted: str, columns: Sequence[str]) -> str | None:
    """Return the column whose name, or the part of it behind the last dot, is most like the one that is wanted."""
    parts = {column.rpartition(".")[2]: column for column in reversed(columns)} | {each: each for each in columns}
    near = difflib.get_close_matches(wanted, parts, n=1)
    return parts[near[0]] if near else None


def _columns(columns: Sequence[str]) -> str:
    return f"The columns are: {', '.join(columns)}."
