"""A line that parts two areas and names the lower one."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget

from screens.widgets.paint import in_signs, is_ascii
from workbench.text import cut, plain, width


class Heading(Widget):
    """Draw a rule with a title and a hint in it: ─ results   ▲ better ────. Any text is shown as typed."""

    DEFAULT_CSS = "Heading { height: 1; width: 100%; color: $rule; }"

    def __init__(self, title: str = "", hint: str = "", id: str | None = None) -> None:
        super().__init__(id=id)
        self.title = plain(title)
        self.hint = plain(hint)

    def show(self, title: str, hint: str = "") -> None:
        """Set title and hint."""
        if (plain(title), plain(hint)) != (self.title, self.hint):
            self.title, self.hint = plain(title), plain(hint)
            self.refresh()

    def render(self) -> Content:
        """Return the line, as wide as the widget."""
        dash, cells = "-" if is_ascii(self) else "─", self.size.width
        if not self.title:
            return Content.styled(dash * cells, "$rule")
        title = cut(self.title, max(0, cells - 4))
        room = cells - width(title) - 4
        hint = cut(self.hint, room - 3) if room > 12 else ""
        parts: list[tuple[str, str]] = [(f"{dash} ", "$rule"), (title, "$foreground")]
        parts += [(f"   {hint}", "$foreground-muted")] if hint else []
        used = 2 + width(title) + (3 + width(hint) if hint else 0)
        parts.append((" " + dash * max(0, cells - used - 1), "$rule"))
        return in_signs(self, Content.assemble(*parts))
