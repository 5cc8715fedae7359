"""Whether logging out ends what this process starts: systemd can be told to, and nothing here could stop it.

Light, and asked before a run is started: after a run has been killed is too late to be told.
"""

from __future__ import annotations

import getpass
import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from workbench.paths import Home

CONTROL_GROUPS = Path("/proc/self/cgroup")
SECONDS = 3.0
MANAGER = ("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager")
PROPERTIES = ("KillUserProcesses", "KillOnlyUsers", "KillExcludeUsers")
_SESSION = re.compile(r"/session-[^/]+\.scope(/|$)")
_USER = re.compile(r"/user@\d+\.service(/|$)")


@dataclass(frozen=True)
class Policy:
    """`place` is session, user or nothing (no login has a hold on this process); `kills` and `lingers` as logind
    says, None where it does not."""

    place: str
    kills: bool | None = None
    lingers: bool | None = None

    @property
    def warning(self) -> tuple[str, str]:
        """What happens at logout and how to prevent it; two empty texts where nothing does."""
        if self.place == "session" and self.kills:
            outside = "start it outside the session: systemd-run --user --scope workbench"
            remedy = outside if self.lingers else f"first `loginctl enable-linger`, then {outside}"
            return "logging out of this session kills all it started, training too (KillUserProcesses=yes)", remedy
        if self.place == "user" and self.lingers is False:
            return "logging out of your last session ends all you started, training too", "loginctl enable-linger"
        return "", ""


def policy() -> Policy:
    """Ask where this process belongs and what logind does at logout; it takes some seconds at most."""
    place = _place()
    if not place:
        return Policy("")
    lingers = _ask("loginctl", "show-user", str(os.getuid()), "--property=Linger", "--value")
    return Policy(place, _kills() if place == "session" else None, {"yes": True, "no": False}.get(lingers.strip()))


def unsaid(home: Home) -> str:
    """Return the warning in one line where it was not given in this home yet; nothing where there is none."""
    if _mark(home).exists():
        return ""
    return ": ".join(filter(None, policy().warning))


def said(home: Home) -> None:
    """Note that the warning was given before a run was started."""
    _mark(home).touch(mode=0o600)


def _mark(home: Home) -> Path:
    return home.root / "logout.told"


def _place() -> str:
    """Return what of systemd holds this process: the scope of a session, a user's own manager, or nothing."""
    try:
        paths = CONTROL_GROUPS.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    lines = [line.split(":", 2)[-1] for line in paths.splitlines()]
    for place, form in (("session", _SESSION), ("user", _USER)):
        if any(form.search(line) for line in lines):
            return place
    return ""


def _kills() -> bool | None:
    """Return whether logind kills what a session of this user leaves behind; None where it does not say."""
    lines = _ask("busctl", "get-property", *MANAGER, *PROPERTIES).splitlines()
    if len(lines) != len(PROPERTIES) or not lines[0].startswith("b "):
        return None
    only, excluded = (shlex.split(line)[2:] for line in lines[1:])
    user = getpass.getuser()
    return lines[0] == "b true" and user not in excluded and (not only or user in only)


def _ask(*argv: str) -> str:
    """Return what a program says within some seconds; nothing where it is not there or does not answer."""
    if shutil.which(argv[0]) is None:
        return ""
    try:
        done = subprocess.run([*argv], stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", "replace")
