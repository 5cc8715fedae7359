"""Colours: one dark and one light theme; every style sheet names their tokens alone."""

from __future__ import annotations

from textual.theme import Theme

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

THEMES = (DARK, LIGHT)
