"""Words in several styles, wrapped, in ASCII where that is wanted."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static

from screens.widgets.paint import in_signs


class Told(Static):
    """Show styled words; never markup."""

    def tell(self, words: Content | str) -> None:
        """Show these words in place of those before; a plain text must be safe already."""
        content = words if isinstance(words, Content) else Content(words)
        self.update(in_signs(self, content))
