"""Still text: lines of styled words, painted again only when they differ."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.widget import Widget

from workbench.text import cut, plain, width

Part = tuple[str, str]
"""A text and a style (`bold`, `$text-muted`, or nothing)."""


class Words(Widget):
    """Lines of parts, each cut at the right edge; any text is safe."""

    DEFAULT_CSS = "Words { height: auto; width: 1fr; }"

    def __init__(self, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.lines: list[list[Part]] = []

    def show(self, lines: Sequence[Sequence[Part]]) -> None:
        """Show these lines in place of those before."""
        safe = [[(plain(text), style) for text, style in line] for line in lines]
        if safe == self.lines:
            return
        grown = len(safe) != len(self.lines)
        self.lines = safe
        self.refresh(layout=grown)

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        return len(self.lines)

    def render(self) -> Content:
        shown: list[Content] = []
        for line in self.lines[: self.size.height or None]:
            room, parts = self.size.width, []
            for text, style in line:
                text = cut(text, room)
                room -= width(text)
                if text:
                    parts.append((text, style))
            shown.append(Content.assemble(*parts))
        return Content("\n").join(shown)
