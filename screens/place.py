"""What the five places have in common: first and last line, keys that say why they cannot act, news of the feed."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static
from textual.worker import Worker, WorkerState

from screens.feed import Feed
from screens.keys import keys_of
from screens.widgets.lines import BottomLine, TopLine
from workbench.text import plain

if TYPE_CHECKING:
    from screens.app import WorkbenchApp

SMALLEST = (60, 15)


class Cramped(Widget):
    """Stands for the whole place where the terminal is too small for it."""

    def render(self) -> Content:
        return Content(f"needs {SMALLEST[0]}x{SMALLEST[1]}, has {self.app.size.width}x{self.app.size.height}")


class StoreNotice(Static):
    """Stands for the whole place while the store is being made or cannot be read."""

    def show_state(self, state: str, text: str) -> None:
        """Say what is the matter and what to do; any text is safe."""
        what, _, hint = text.partition("\n")
        lines: list[tuple[str, str]] = [(plain(what) + "\n", "")]
        if state == "broken":
            lines.insert(0, ("The store cannot be read\n\n", "bold"))
            lines.append((plain(hint) + "\n" if hint else "", "$foreground-muted"))
            lines.append(("\nIt is tried again every second; `workbench doctor` looks closer.", "$foreground-muted"))
        self.update(Content.assemble(*lines))


class PlaceScreen(Screen[None]):
    """A place. It sets PLACE and BINDINGS, composes in `compose_place`, and overrides the `show_…` it cares for."""

    PLACE: ClassVar[str] = "runs"
    AUTO_FOCUS: ClassVar[str | None] = None

    def __init__(self) -> None:
        super().__init__()
        self.handed: tuple[int, ...] = ()

    @property
    def workbench(self) -> WorkbenchApp:
        """The app, with its home, feed and marks."""
        return cast("WorkbenchApp", self.app)

    @property
    def feed(self) -> Feed:
        return self.workbench.feed

    def compose(self) -> ComposeResult:
        yield TopLine(self.PLACE)
        yield from self.compose_place()
        yield BottomLine(keys_of(self.PLACE))
        yield StoreNotice()
        yield Cramped()

    def compose_place(self) -> ComposeResult:
        """Yield what stands between the first and the last line."""
        yield from ()

    def arrive(self, run_ids: tuple[int, ...]) -> None:
        """Take over the runs that another place hands on; its widgets are there, `show_runs` follows."""

    def show_runs(self) -> None:
        """Show `feed.runs`, which is new; called for the visible place alone, and when it becomes visible."""

    def show_trace(self, run_id: int) -> None:
        """Show `feed.traces[run_id]`, which is new; called for the visible place alone."""

    def open_anew(self) -> None:
        """Choose what to show where the place was opened and no run was handed to it."""

    def show_store(self, state: str, text: str) -> None:
        """Show in place of everything that the store is being made or is broken; `text` says why."""
        self.set_class(state in ("making", "broken"), "-no-store")
        for notice in self.query(StoreNotice):
            notice.show_state(state, text)

    def show_sample(self, device: str, sample: dict[str, float]) -> None:
        """Show the box as it is now (system key → value), about once a second."""

    def why_not(self, action: str) -> str | None:
        """Return why an action cannot run now, or None where it can; asked again after each change."""
        return None

    def unsaved(self) -> str | None:
        """Return what would be lost by leaving the app, in words, or None."""
        return None

    async def action_act(self, action: str) -> None:
        """Run the action of a key, or say why it cannot run."""
        reason = self.why_not(action)
        if reason is not None:
            self.workbench.say(reason, "warning")
        else:
            await self.run_action(action)
        self.show_keys()

    def show_keys(self) -> None:
        """Offer only the keys that can act now."""
        dim = frozenset(key.id for key in keys_of(self.PLACE) if key.shown and self.why_not(key.action) is not None)
        for line in self.query(BottomLine):
            line.show_dim(dim)

    def show_status(self, status: str) -> None:
        """Show words, safe already, at the right of the first line."""
        for line in self.query(TopLine):
            line.show_status(status)

    def action_back(self) -> None:
        self.workbench.open_place("runs")

    def action_place(self, place: str) -> None:
        self.workbench.open_place(place)

    def action_new(self) -> None:
        self.workbench.open_place("new")

    async def action_help(self) -> None:
        from screens.dialogs import Help

        await self.app.push_screen(Help(self.PLACE))

    async def action_palette(self) -> None:
        self.app.action_command_palette()

    async def action_quit(self) -> None:
        await self.app.run_action("quit")

    def action_redraw(self) -> None:
        self.workbench.action_redraw()

    def action_suspend(self) -> None:
        self.workbench.action_suspend_process()

    @on(BottomLine.Pressed)
    async def act_on_click(self, event: BottomLine.Pressed) -> None:
        await self.action_act(event.action)

    def on_screen_resume(self) -> None:
        self.workbench.show_place(self)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Show the error of a failed worker; start workers with `exit_on_error=False`."""
        if event.state == WorkerState.ERROR and isinstance(event.worker.error, Exception):
            self.workbench.report(event.worker.error)
