"""What tests of screens share: the screen as text, golden pictures, texts that attack."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from textual.app import App

GOLDEN = Path(__file__).parent.parent / "golden"
SIZES = ((80, 24), (120, 40))
HOSTILE = "[CLS] [/red] \x1b]0;x\x07 [@click=app.quit]q[/]"
HOSTILE_SHOWN = "[CLS] [/red] ␛]0;x␇ [@click=app.quit]q[/]"


def screen_text(app: App[Any]) -> str:
    """Return the text of the whole screen as the compositor draws it, one line a row, no blanks at the ends."""
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)


def golden(name: str, text: str) -> None:
    """Hold `text` to tests/golden/`name`.txt; UPDATE_GOLDEN=1 writes it anew, to be read in the diff."""
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN") == "1":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
    assert path.exists(), f"no golden picture {path.name}: run once with UPDATE_GOLDEN=1"
    assert text.rstrip("\n") == path.read_text(encoding="utf-8").rstrip("\n")
