"""Which column is which: named by the recipe, or found by its usual name."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from workbench.catalog import TASKS
from workbench.errors import WorkbenchError


def choose_columns(task: str, named: dict[str, str | None], columns: Sequence[str], where: str) -> dict[str, str]:
    """Return role → column for the roles that the task needs.

    A column that the recipe names must exist; one that it does not name is found by its usual name, any case.
    """
    chosen: dict[str, str] = {}
    for role, usual in TASKS[task].columns.items():
        wanted = named.get(role)
        if wanted is not None:
            if wanted not in columns:
                near = difflib.get_close_matches(wanted, columns, n=1)
                guess = f'; did you mean "{near[0]}"?' if near else ""
                raise WorkbenchError(f"no column {wanted!r}{guess}", where=where, hint=_columns(columns))
            chosen[role] = wanted
            continue
        folded = {column.lower(): column for column in reversed(columns)}
        found = next((folded[name] for name in usual if name in folded), None)
        if found is None:
            raise WorkbenchError(
                f"cannot tell which column is the {role}",
                where=where,
                hint=f'{_columns(columns)} Name it in the recipe: [task] {role} = "...".',
            )
        chosen[role] = found
    return chosen


def _columns(columns: Sequence[str]) -> str:
    return f"The columns are: {', '.join(columns)}."
