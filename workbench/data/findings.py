"""What is found in data before a run: a name, where it is, and what to do about it. Light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workbench.errors import WorkbenchError
from workbench.text import count, plain, plural

SHOWN = 5
"""How many rows of a finding are named."""


@dataclass(frozen=True)
class Finding:
    """`level` is error where no run can be made of it, else warning; `rows` are the first, counted from 1.

    `code` names the kind, such as `duplicates`; `count` tells how many rows there are in all, 0 where it is not a
    matter of rows; `where` is the file.
    """

    code: str
    level: str
    what: str
    where: str = ""
    rows: tuple[int, ...] = ()
    count: int = 0
    remedy: str = ""

    @property
    def words(self) -> str:
        """The finding in one sentence, with its rows: 3 rows are empty (rows 4, 9, 17)."""
        return f"{self.what}{_rows(self.rows, self.count)}"


def warning(code: str, what: str, rows: Sequence[int] = (), remedy: str = "") -> Finding:
    """Return a warning about rows (counted from 1), of which the first are named."""
    return Finding(code, "warning", what, rows=tuple(rows[:SHOWN]), count=len(rows), remedy=remedy)


def refusal(findings: Sequence[Finding]) -> WorkbenchError:
    """Return the errors among the findings as one error to be read."""
    errors = [finding for finding in findings if finding.level == "error"]
    words = "\n".join(finding.words for finding in errors)
    return WorkbenchError(words, where=errors[0].where, hint=errors[0].remedy, code=errors[0].code)


def lines(findings: Sequence[Finding]) -> list[str]:
    """Return the findings as lines of text: mark, code and words, then where and what to do."""
    told: list[str] = []
    for finding in findings:
        told.append(f"{'✗' if finding.level == 'error' else '!'} {finding.code}: {plain(finding.words, 400)}")
        told += [f"    {plain(words, 400)}" for words in (finding.where, finding.remedy) if words]
    return told


def summary(findings: Sequence[Finding]) -> str:
    """Return how many errors and warnings there are."""
    errors = sum(finding.level == "error" for finding in findings)
    return f"{plural(errors, 'error')}, {plural(len(findings) - errors, 'warning')}" if findings else "nothing found"


def _rows(rows: Sequence[int], total: int) -> str:
    if not rows:
        return ""
    more = total - len(rows)
    named = ", ".join(count(row) for row in rows)
    return f" ({'row' if total == 1 else 'rows'} {named}{f' and {count(more)} more' if more > 0 else ''})"
