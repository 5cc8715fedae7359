"""What the tests of the commands share."""

from __future__ import annotations

import unicodedata
from pathlib import Path

from click.testing import CliRunner, Result

from workbench.commands import commands


def call(*arguments: object, home: Path, stdin: str = "") -> Result:
    """Run a command in this process; `result.stdout` and `result.stderr` are what it said."""
    result = CliRunner().invoke(commands, ["--home", str(home), *map(str, arguments)], input=stdin)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def obeyed(text: str) -> set[str]:
    """Return the characters in a text that a terminal would obey, or that hide or turn what is shown."""
    return {char for char in text if char != "\n" and unicodedata.category(char) in ("Cc", "Cf", "Cs")}
