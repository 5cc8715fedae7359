"""The app: five places over one feed. It composes nothing itself and knows no run."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any, ClassVar, Literal

from textual import on
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from screens import feed as news
from screens.crashes import keep_traceback
from screens.keys import PLACES, keys_of
from screens.place import PlaceScreen
from screens.pulse import Pulse, Sampled
from screens.theme import THEMES, with_own_tokens
from workbench.errors import WorkbenchError
from workbench.paths import Home, exposures
from workbench.text import plain

Severity = Literal["information", "warning", "error"]


def _place(module: str, name: str) -> Callable[[], Screen[Any]]:
    """Return what makes a place; its module is loaded when it is first gone to."""
    return lambda: getattr(import_module(f"screens.{module}"), name)()


class WorkbenchApp(App[str]):
    """The workbench on a terminal; `run` returns the words to print after it, if any.

    Places hand runs to one another by `open_place`; `marks` are the runs marked for comparing and trying.
    """

    CSS_PATH = "app.tcss"
    MODES = {
        "runs": _place("runs", "RunsScreen"),
        "new": _place("new", "NewScreen"),
        "live": _place("live", "LiveScreen"),
        "compare": _place("compare", "CompareScreen"),
        "try": _place("trial", "TryScreen"),
    }
    DEFAULT_MODE = "runs"
    HORIZONTAL_BREAKPOINTS = [(0, "-cramped"), (60, "-narrow"), (110, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-flat"), (15, "-short"), (30, "-tall")]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "quit", "quit", show=False, priority=True),
        Binding("ctrl+l", "redraw", "redraw", show=False, priority=True),
        Binding("ctrl+z", "suspend_process", "suspend", show=False, priority=True),
    ]

    def __init__(self, home: Home, *, ascii: bool = False, readonly: bool = False) -> None:
        super().__init__(ansi_color=True if "NO_COLOR" in os.environ else None)
        self.home = home
        self.ascii = ascii
        self.marks: list[int] = []
        self.status = ""
        self.now = time.time
        self.animation_level = "none"
        self.feed = news.Feed(home, self.post_message, readonly=readonly)
        self.pulse = Pulse(self.feed, self.post_message)
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = "workbench-plain" if self.no_color else "workbench-dark"

    @property
    def readonly(self) -> bool:
        """Whether nothing is to be changed from here."""
        return self.feed.readonly

    def get_css_variables(self) -> dict[str, str]:
        return with_own_tokens(super().get_css_variables())

    def on_mount(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGHUP, signal.SIGTERM):
            loop.add_signal_handler(number, self.end_on_signal, number)
        self.app_resume_signal.subscribe(self, lambda _: self.action_redraw())
        self.call_after_refresh(self.begin)

    def end_on_signal(self, number: int) -> None:
        """Leave in good order when the terminal hangs up or somebody asks the process to end."""
        self.exit(self.farewell(), return_code=128 + number)

    def begin(self) -> None:
        """Start to read the store, now that the first screen is painted."""
        self.feed.start()
        self.pulse.start()
        for what, remedy in exposures(self.home.root)[:1]:
            self.say(f"{what}. {remedy}", "warning")

    def on_unmount(self) -> None:
        self.feed.close()
        self.pulse.close()

    def open_place(self, place: str, *run_ids: int) -> None:
        """Go to a place, handing runs to it where there are any."""
        stays = place == self.current_mode
        self.switch_mode(place)
        if isinstance(self.screen, PlaceScreen):
            self.screen.handed = run_ids
            if not run_ids:
                self.screen.open_anew()
            if stays:
                self.show_place(self.screen)

    def show_place(self, place: PlaceScreen) -> None:
        """Bring a place that becomes visible up to date."""
        if place.handed:
            place.arrive(place.handed)
            place.handed = ()
        place.show_status(self.status)
        place.show_store(self.feed.state, self.feed.text)
        place.show_runs()
        place.show_keys()

    @property
    def place(self) -> PlaceScreen | None:
        """The place that is visible, perhaps under a dialog."""
        return next((screen for screen in reversed(self.screen_stack) if isinstance(screen, PlaceScreen)), None)

    @on(news.StoreChanged)
    def show_store(self, event: news.StoreChanged) -> None:
        if event.state == "ready" and event.text:
            self.say(event.text, "warning")
        if place := self.place:
            place.show_store(event.state, event.text)

    @on(news.RunsChanged)
    def show_runs(self) -> None:
        self.marks = [run_id for run_id in self.marks if run_id in self.feed.runs]
        if place := self.place:
            place.show_runs()
            place.show_keys()

    @on(news.TraceChanged)
    def show_trace(self, event: news.TraceChanged) -> None:
        if place := self.place:
            place.show_trace(event.run_id)

    @on(Sampled)
    def show_sample(self, event: Sampled) -> None:
        from screens.rows import status_words

        self.status = status_words(self.feed.open_runs(), event.device, event.sample, event.barred)
        if place := self.place:
            place.show_status(self.status)
            place.show_sample(event.device, event.sample)

    @on(news.Trouble)
    def show_trouble(self, event: news.Trouble) -> None:
        self.report(event.error)

    def say(self, words: str, severity: Severity = "information") -> None:
        """Show a notice; any text is safe. It takes the place of those before, but of errors."""
        if not any(notice.severity == "error" for notice in self._notifications):
            self.clear_notifications()
        self.notify(plain(words, 600, newlines=True), severity=severity, markup=False, timeout=5)

    def report(self, error: Exception) -> None:
        """Show an error as a notice with its next step; what nobody foresaw goes to a file as well."""
        if isinstance(error, WorkbenchError):
            self.say(str(error), "error")
        else:
            kept = keep_traceback(self.home, error)
            self.say(f"{type(error).__name__}: {error}\n{kept}", "error")

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        yield SystemCommand("theme", "Change the colours", self.action_change_theme)
        place = self.place
        for key in keys_of(place.PLACE) if place else ():
            # The palette takes names for markup, of which [/ would be the end.
            face = key.face.replace("[", "left bracket").replace("]", "right bracket")
            name = f"{key.description.rstrip('…')}  ({face})"
            command = place.action_act if place else None
            if command and key.action != "palette":
                yield SystemCommand(
                    name, key.tooltip, lambda act=command, action=key.action: self.call_later(act, action)
                )

    async def action_quit(self) -> None:
        """Leave at once where nothing is lost; else ask."""
        lost = next((words for place in PLACES for words in self._unsaved(place)), None)
        if lost is None:
            self.exit(self.farewell())
            return
        from screens.dialogs import Choice, Question

        def decide(answer: str | None) -> None:
            if answer:
                self.exit(self.farewell())

        await self.push_screen(Question("Leave the workbench?", [lost], Choice("y", "leave", "leave")), decide)

    def _unsaved(self, place: str) -> list[str]:
        screens = [screen for screen in self._screen_stacks.get(place, []) if isinstance(screen, PlaceScreen)]
        return [words for screen in screens if (words := screen.unsaved())]

    def farewell(self) -> str:
        """Return what to print after the app."""
        from screens.rows import farewell_words

        return farewell_words(self.feed.open_runs())

    def action_help_quit(self) -> None:
        """Answer ctrl+c, which quits other programs."""
        self.say("q leaves the workbench; runs go on")

    def action_redraw(self) -> None:
        """Paint every cell again: something else may have written on the terminal."""
        self.refresh(layout=True, repaint=True)
        self.screen.refresh(layout=True)

    def _fatal_error(self) -> None:
        """Keep the traceback in a file, without local values, and say where."""
        from rich.text import Text

        error = self._exception or RuntimeError("unknown")
        kept = keep_traceback(self.home, error)
        self._exit_renderables.append(Text(f"The screens failed: {plain(error, 300)}. Runs go on. {kept}"))
        self._close_messages_no_wait()
