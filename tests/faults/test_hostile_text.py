"""Whatever a text holds, what reaches the terminal is the app's own, on every screen and from every command."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.commands.support import call
from tests.conftest import Finished
from tests.faults.hostile_home import ATTACKS, FILE, TEXT, driving, hostile_cache, hostile_home
from tests.terminal import Terminal
from workbench.paths import Home
from workbench.text import plain

SHOWN = "␛[35;5;123m"
"""The first attack as `plain` shows it: what tells that a screen showed one at all."""

WAIT = 120.0
QUIET = 0.2
PASTED = "\x1b[200~a\x1b]52;c;ZXZpbA==\x07\x9b2J\u202e\u200b[/red]\x00\x1b[201~"

WALK = (
    ("1", "[1 Runs]"), ("/SGR", "7 of 7"), ("escape", SHOWN), ("down", SHOWN), ("space", "●"), ("down", SHOWN),
    ("space", SHOWN), ("o", "score↓"), ("p", "seeds"), ("escape", "score↓"), ("d", "Delete run"), ("escape", "score↓"),
    ("oooo", "age"), ("home", SHOWN), ("down", SHOWN), ("down", SHOWN), ("enter", "[3 Live]"), ("lmwwx", "over time"),
    ("enter", "log of run"), ("G", "xxxx"), ("g", SHOWN), ("escape", "[3 Live]"), ("]", SHOWN), ("[", SHOWN),
    ("?", "Keys in Live"), ("escape", SHOWN), ("ctrl+p", "Search for commands"), ("escape", SHOWN),
    ("4", "[4 Compare]"), ("]", SHOWN), ("]", SHOWN), ("a", SHOWN), ("]", SHOWN), ("[", SHOWN),
    ("2", "[2 New]"), ("ctrl+o", "enter takes it"), ("enter", "updates over"), ("ctrl+e", "The recipe as TOML"),
    ("escape", "[2 New]"), ("tab", ""), ("tab", ""), ("tab", ""), ("tab", ""), ("ctrl+p", "Search"),
    ("escape", "[2 New]"), ("5", "[5 Try]"), ("+", SHOWN), ("escape", SHOWN), ("r", SHOWN), ("i", ""),
    (PASTED, "c;ZXZpbA=="), ("escape", SHOWN),
)  # fmt: skip
"""The keys of a walk through every place and many of its sheets, and what is on the screen after each."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return hostile_home(tmp_path_factory.mktemp("hostile"))


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_no_screen_lets_a_text_drive_the_terminal(home: Home, tmp_path: Path, size: tuple[int, int]) -> None:
    env = {
        "WORKBENCH_HOME": str(home.root), "WORKBENCH_SLOTS": "none", "HF_HOME": str(hostile_cache(tmp_path)),
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }  # fmt: skip
    app = [sys.executable, "-m", "workbench"]
    with Terminal(app, env, size=size, cwd=home.root.parent / "files") as terminal:
        terminal.read_until(SHOWN, timeout=WAIT)
        seen = 0
        for key, wanted in WALK:
            terminal.send(key)
            terminal.read_until(wanted, timeout=WAIT)
            while terminal.read(QUIET):
                pass
            assert driving(terminal.raw[seen:]) == set(), f"after {key!r}:\n{terminal.screen()}"
            seen = len(terminal.raw)
        terminal.send("q")
        assert terminal.wait(WAIT) == 0
    assert driving(terminal.raw) == set()


def test_no_answer_lets_a_label_drive_the_terminal(finished: Finished) -> None:
    """A model that was trained on such labels answers a text that was typed."""
    env = {"WORKBENCH_HOME": str(finished.home.root), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with Terminal([sys.executable, "-m", "workbench", "--readonly"], env, size=(120, 40)) as terminal:
        for key, wanted in (("", "done"), ("5", "[5 Try]"), ("i", ""), ("a good day", "a good day"), ("enter", "0.")):
            terminal.send(key)
            terminal.read_until(wanted, timeout=WAIT)
        assert "␛]0;x␇" in terminal.screen()
        assert driving(terminal.raw) == set()


@given(st.lists(st.sampled_from(ATTACKS) | st.text(), max_size=5).map("".join), st.none() | st.integers(1, 40))
def test_nothing_that_is_shown_plain_drives_a_terminal(text: str, limit: int | None) -> None:
    assert driving(plain(text, limit).encode()) == set()


LOOKS = (
    ["ls"], ["show", "1"], ["show", "5"], ["show", "1", "--recipe"], ["log", "1"], ["log", "1", "--raw"], ["group"],
    ["compare", "1", "2"], ["compare", "1", "2", "--all"], ["compare", "1", "2", "--csv"], ["doctor"], ["paths"],
    ["show", TEXT], ["stop", TEXT], ["rm", TEXT], ["group", TEXT], ["train", f"/{FILE}.toml"],
    ["data", "check", f"/{FILE}", "--task", "sentiment"], ["resume", TEXT], ["log", TEXT], ["predict", TEXT, "x"],
)  # fmt: skip


@pytest.mark.parametrize("words", LOOKS, ids=lambda words: " ".join(word if word.isalnum() else "…" for word in words))
@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
def test_no_command_lets_a_text_drive_the_terminal(
    home: Home, monkeypatch: pytest.MonkeyPatch, words: list[str], as_json: bool
) -> None:
    monkeypatch.setenv("WORKBENCH_SLOTS", "none")
    said = call(
        *words, *(["--json"] if as_json and "--csv" not in words and "--recipe" not in words else []), home=home.root
    )
    assert said.stdout or said.stderr
    assert driving((said.stdout + said.stderr).encode("utf-8", "surrogatepass")) == set()


def test_what_drives_a_terminal_is_seen() -> None:
    for attack in ATTACKS[:7]:
        assert driving(f"text {attack}".encode()) != set()
        assert driving(f"text {plain(attack)}".encode()) == set()
    for harmless in ("\x1b[2J", "\x1b[38;2;1;2;3m", "\x1b[?1049h", "a\r\n"):
        assert driving(harmless.encode()) == set()
