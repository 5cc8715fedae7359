"""The one error a person is meant to read."""

from __future__ import annotations


class WorkbenchError(Exception):
    """Say what went wrong, where, and the next step.

    `what` is one sentence; `where` names the file, field or run; `hint` is what to do next.
    `code` names the kind where it is one of a list of findings.
    Commands print it on stderr and exit with 2; screens show it in place.
    """

    def __init__(self, what: str, where: str = "", hint: str = "", code: str = "unusable") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.hint = hint
        self.code = code

    def __str__(self) -> str:
        located = f"{self.where}: {self.what}" if self.where else self.what
        return f"{located}\n{self.hint}" if self.hint else located
