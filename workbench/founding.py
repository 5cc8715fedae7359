"""Make the store of a home where there is none yet, and never beside runs that had one."""

from __future__ import annotations

from store.connection import is_current, prepare_apart
from workbench.errors import WorkbenchError
from workbench.paths import Home
from workbench.text import plural


def found(home: Home) -> None:
    """Make the folders and the store of a home, or bring the store up to date.

    Raises a WorkbenchError where the store was lost: a new one would give its runs' numbers to others.
    """
    home.create()
    lost = not home.store.exists() or home.store.stat().st_size == 0
    folders = home.count_folders() if lost else 0
    if folders:
        raise WorkbenchError(
            f"the store is {'empty' if home.store.exists() else 'gone'}; {plural(folders, 'run folder')} left",
            where=str(home.store),
            hint="Make it anew from them: workbench store rebuild",
        )
    if not is_current(home.store):
        prepare_apart(home.store)
