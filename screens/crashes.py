"""Errors that nobody foresaw are kept in a file: where in the code, never the values that were there."""

from __future__ import annotations

import time
import traceback

from workbench.paths import Home
from workbench.redaction import redact


def keep_traceback(home: Home, error: BaseException) -> str:
    """Write the traceback below the home's logs; return in words where it is, or why it could not be kept."""
    path = home.logs / f"screens-{time.strftime('%Y%m%d-%H%M%S')}.txt"
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with path.open("a", encoding="utf-8") as file:
            file.write(redact("".join(traceback.format_exception(error))))
    except OSError as problem:
        return f"Its traceback could not be kept: {problem.strerror}"
    return f"Details: {path}"
