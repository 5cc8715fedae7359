"""Which column is which: named by the recipe, or found by its usual name."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from workbench.errors import WorkbenchError
from workbench.parts import Role


def choose_columns(
    roles: Mapping[str, Role], named: Mapping[str, str | None], columns: Sequence[str], where: str
) -> dict[str, str]:
    """Return role → column, for each role that has one; raise a WorkbenchError where a required one has none.

    A column that the recipe names must exist; one that it does not name is found by its usual name, any case.
    """
    chosen: dict[str, str] = {}
    folded = {column.lower(): column for column in reversed(columns)}
    for role, card in roles.items():
        wanted = named.get(role)
        if wanted is not None:
            if wanted not in columns:
                near = difflib.get_close_matches(wanted, columns, n=1)
                guess = f'; did you mean "{near[0]}"?' if near else ""
                raise WorkbenchError(f"no column {wanted!r}{guess}", where=where, hint=_columns(columns))
            chosen[role] = wanted
            continue
        if card.unless and (card.unless in chosen or named.get(card.unless) is not None):
            continue
        taken = {*chosen.values(), *named.values()}
        found = next((folded[name] for name in card.names if name in folded and folded[name] not in taken), None)
        if found is not None:
            chosen[role] = found
    for role, card in roles.items():
        if card.required and role not in chosen and card.unless not in chosen:
            raise WorkbenchError(
                f"cannot tell which column is the {role}",
                where=where,
                hint=f'{_columns(columns)} Name it in the recipe: [task] {role} = "...".',
            )
    return chosen


def _columns(columns: Sequence[str]) -> str:
    return f"The columns are: {', '.join(columns)}."
