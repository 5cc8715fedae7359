"""Colours: a dark, a light and a colourless theme; every style sheet names their tokens alone."""

from __future__ import annotations

from textual.theme import BUILTIN_THEMES, Theme

DARK = Theme(
    name="workbench-dark",
    primary="#7aa2c8",
    secondary="#8f9bb3",
    accent="#e0a458",
    foreground="#d4d7dd",
    background="#14161a",
    surface="#1a1d22",
    panel="#22262d",
    success="#8fb573",
    warning="#d9a441",
    error="#d9705f",
    dark=True,
    variables={"rule": "#3a404a", "block-cursor-background": "#2b313b", "block-cursor-foreground": "#f0f2f5"},
)

LIGHT = Theme(
    name="workbench-light",
    primary="#2f5f8f",
    secondary="#566072",
    accent="#a35c00",
    foreground="#22262d",
    background="#fafaf8",
    surface="#f2f2ef",
    panel="#e6e6e1",
    success="#3f7a2a",
    warning="#8a6100",
    error="#b03a2a",
    dark=False,
    variables={"rule": "#c4c6c9", "block-cursor-background": "#dde3ea", "block-cursor-foreground": "#14161a"},
)

_SAME = "ansi_default"
PLAIN = Theme(
    name="workbench-plain",
    primary=_SAME,
    secondary=_SAME,
    accent=_SAME,
    foreground=_SAME,
    background=_SAME,
    surface=_SAME,
    panel=_SAME,
    success=_SAME,
    warning=_SAME,
    error=_SAME,
    ansi=True,
    variables={name: _SAME for name in BUILTIN_THEMES["ansi-dark"].variables if not name.endswith("style")},
)
"""The terminal's own two colours, for NO_COLOR (no-color.org)."""

THEMES = (DARK, LIGHT, PLAIN)


def with_own_tokens(variables: dict[str, str]) -> dict[str, str]:
    """Return a theme's variables with those that this app alone has, for themes that are not its own."""
    return {"rule": variables.get("foreground-disabled") or "ansi_default 50%", **variables}
