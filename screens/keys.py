"""Every key, once: bindings, bottom line, help, palette and the README's table are made from this one.

One letter has one meaning everywhere; a place either has the key or does not.
"""

from __future__ import annotations

from dataclasses import dataclass

from textual.binding import Binding, BindingType

PLACES = {"runs": "Runs", "new": "New", "live": "Live", "compare": "Compare", "try": "Try"}
ALL = tuple(PLACES)


@dataclass(frozen=True)
class Key:
    """`key` as Textual names it; `action` is a method `action_…` of the place; `shown` puts it in the bottom line."""

    id: str
    key: str
    action: str
    description: str
    tooltip: str
    places: tuple[str, ...]
    shown: bool = True
    priority: bool = False

    @property
    def face(self) -> str:
        """The key as a person reads it: ^s, enter, /."""
        names = [part.strip() for part in self.key.split(",")][:2]
        return "/".join(_FACES.get(name, name.replace("ctrl+", "^")) for name in names)


_FACES = {
    "slash": "/", "question_mark": "?", "left_square_bracket": "[", "right_square_bracket": "]", "escape": "esc",
    "left": "←", "right": "→", "f1": "F1", "plus": "+", "minus": "-", "shift+tab": "⇧tab",
    "less_than_sign": "<", "greater_than_sign": ">",
}  # fmt: skip

KEYS: tuple[Key, ...] = (
    # comparing
    Key("next-tab", "right_square_bracket", "next_tab", "tab", "The next part", ("compare",)),
    Key("previous-tab", "left_square_bracket", "previous_tab", "tab", "The part before", ("compare",), shown=False),
    Key("hide", "space", "hide", "hide", "Hide or show the curve of the run", ("compare",)),
    Key("baseline", "b", "baseline", "baseline", "Hold the others to this run", ("compare",)),
    Key("settings", "a", "settings", "all settings", "Every setting, or only what differs", ("compare",)),
    Key("copy-table", "y", "copy", "copy", "Send the table to the terminal's clipboard", ("compare",)),
    Key("export", "e", "export", "export", "Write a CSV of it into the current folder", ("compare",)),
    Key("look", "enter", "open", "open", "Watch the run in Live", ("compare",), shown=False),
    Key("try-these", "t", "try", "try", "Try the models of these runs on a text", ("compare",), shown=False),
    # a new run
    Key("start", "ctrl+s", "start", "start", "Start the run", ("new",), priority=True),
    Key("make-group", "p", "group", "group", "Spread it over strategies, seeds, rows …: a group of runs", ("new",)),
    Key("pick", "enter", "pick", "choose", "Take the choice, or change the setting", ("new",)),
    Key("field", "tab,right_square_bracket", "next_field", "next", "The next part of the form", ("new",)),
    Key("field-before", "shift+tab,left_square_bracket", "previous_field", "back", "The part before", ("new",), False),
    Key("toml", "ctrl+e", "toml", "TOML", "Write the recipe as TOML, in your EDITOR", ("new",), priority=True),
    Key("load", "ctrl+o", "load", "load", "Begin with the settings of a run", ("new",), priority=True),
    Key("defaults", "ctrl+r", "defaults", "defaults", "Put every setting back", ("new",), priority=True),
    Key("cancel-check", "ctrl+x", "cancel_check", "end check", "End the check of the data", ("new",), shown=False),
    # trying a model
    Key("ask", "i", "ask", "type", "Type a question", ("try",)),
    Key("add-model", "plus", "add_model", "add model", "Ask another run of the task as well", ("try",)),
    Key("drop-model", "minus", "drop_model", "drop", "Ask the last of the runs no more", ("try",)),
    Key("base-model", "b", "baseline", "base", "Ask the first run as it was before training as well", ("try",)),
    Key("random", "r", "random", "random", "A random example of the evaluation set, with its right answer", ("try",)),
    Key("gold", "v", "gold", "right label", "Say which label is right for this text", ("try",)),
    Key("keep", "space", "keep", "keep", "Keep this question in the history, or no more", ("try",)),
    Key("again", "enter", "again", "ask again", "Ask this question again", ("try",), shown=False),
    Key(
        "cancel-ask",
        "ctrl+x",
        "cancel_ask",
        "stop",
        "End the text being written; else wait no longer",
        ("try",),
        False,
        True,
    ),
    Key("export-history", "e", "export", "export", "Write the history as CSV into the current folder", ("try",)),
    Key("copy-answers", "y", "copy", "copy", "Send the answers to the terminal's clipboard", ("try",)),
    # a chart
    Key("log-y", "l", "log_y", "log y", "Logarithmic y axis, or linear", ("live", "compare")),
    Key("smooth", "m", "smooth", "smooth", "Smooth the training curve: none, some, much", ("live", "compare")),
    Key("series", "w", "series", "series", "Loss, score, rate or gradient norm", ("live", "compare")),
    Key("axis", "x", "axis", "axis", "Steps or time along the x axis", ("live", "compare")),
    Key("log", "enter", "open_log", "log", "Read the whole log of the run", ("live",)),
    Key("previous", "left_square_bracket,left", "previous", "previous", "The run before", ("live",), shown=False),
    Key("next", "right_square_bracket,right", "next", "next run", "The next run", ("live",), shown=False),
    # acting on runs
    Key("open", "enter", "open", "open", "Watch the run in Live", ("runs",)),
    Key("new", "n", "new", "new", "Set up a new run", ("runs", "live")),
    Key("mark", "space", "mark", "mark", "Mark the run, to compare or try it with others", ("runs",)),
    Key("compare", "c", "compare", "compare", "Compare the marked runs, or this with the nearest", ("runs",)),
    Key("try", "t", "try", "try", "Try the marked models, or this one, on a text", ("runs", "live")),
    Key("filter", "slash", "filter", "filter", "Show only runs in which every word occurs", ("runs",)),
    Key("sort", "o", "sort", "sort", "Order by number, score, loss or time", ("runs",)),
    Key("stop", "s", "stop", "stop…", "Stop the run after this step; it can be resumed", ("live", "runs")),
    Key("pause", "h", "pause", "pause", "Hold it after this step: its device is free", ("live", "runs")),
    Key("resume", "u", "resume", "resume", "Go on from the newest checkpoint", ("live", "runs")),
    Key("evaluate", "j", "evaluate", "eval now", "Judge the model now, out of turn; it counts for nothing", ("live",)),
    Key("checkpoint", "k", "checkpoint", "save now", "Keep a checkpoint now; the run goes on", ("live",)),
    Key("fix", "f", "fix", "fix…", "Start the run again, changed against what ails it", ("live",)),
    Key("delete", "d", "delete", "delete…", "Delete the run; its folder goes to the trash", ("runs",)),
    Key("sooner", "less_than_sign", "sooner", "sooner", "Move a queued run one place up", ("runs",), shown=False),
    Key("later", "greater_than_sign", "later", "later", "Move a queued run one place down", ("runs",), shown=False),
    Key("group", "p", "group", "group", "Its group: mean and deviation over seeds", ("runs",)),
    Key("copy", "y", "copy", "copy", "Send the run's uid to the terminal's clipboard", ("runs", "live"), shown=False),
    # everywhere
    *(
        Key(f"place-{place}", str(number), f"place('{place}')", name, f"Go to {name}", ALL, shown=False)
        for number, (place, name) in enumerate(PLACES.items(), 1)
    ),
    Key("back", "escape", "back", "back", "Leave what is open, else go to Runs", ALL, shown=False),
    Key("palette", "ctrl+p", "palette", "commands", "Find a command by its name", ALL, shown=False, priority=True),
    Key("redraw", "ctrl+l", "redraw", "redraw", "Draw the screen again", ALL, shown=False, priority=True),
    Key("suspend", "ctrl+z", "suspend", "suspend", "Back to the shell; `fg` returns", ALL, shown=False, priority=True),
    Key("help", "question_mark,f1", "help", "help", "Every key of this place", ALL),
    Key("quit", "q", "quit", "quit", "Leave; runs go on", ALL),
)

FIRST = {"live": ("stop", "pause", "resume", "evaluate", "checkpoint")}
"""Keys that stand before the others in the bottom line of a place."""


def keys_of(place: str) -> list[Key]:
    """Return the keys of a place in the order of the table, but what it is there for first."""
    keys = [key for key in KEYS if place in key.places]
    return sorted(keys, key=lambda key: key.id not in FIRST.get(place, ()))


def bindings(place: str) -> list[BindingType]:
    """Return the bindings of a place; every action passes `PlaceScreen.action_act`, which says why it cannot run."""
    return [
        Binding(key.key, f'act("{key.action}")', key.description, tooltip=key.tooltip, id=key.id, priority=key.priority)
        for key in keys_of(place)
    ]
