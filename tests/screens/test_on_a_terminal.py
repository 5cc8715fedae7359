from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.terminal import Terminal
from workbench.paths import Home

ROOT = Path(__file__).parents[2]
CODE = """
import sys
from pathlib import Path
from screens.app import WorkbenchApp
from workbench.paths import Home
app = WorkbenchApp(Home(Path(sys.argv[1])), readonly=True, ascii="--ascii" in sys.argv)
words = app.run()
if words: print(words)
heavy = {"torch", "transformers", "datasets", "pandas", "sqlite_utils", "pydantic"} & set(sys.modules)
if heavy: print("loaded", *sorted(heavy))
sys.exit(app.return_code or 0)
"""


def opened(
    home: Home, *options: str, size: tuple[int, int] = (80, 24), env: Mapping[str, str] | None = None
) -> Terminal:
    """Start the app on a pty."""
    return Terminal(
        [sys.executable, "-c", CODE, str(home.root), *options], {"PYTHONPATH": str(ROOT), **(env or {})}, size
    )


def test_it_starts_and_quits_with_q(seeded: Home) -> None:
    with opened(seeded) as terminal:
        terminal.read_until("sst2-gradual-29")
        terminal.send("q")
        assert terminal.wait() == 0
        terminal.read_until("2 runs go on; `workbench` to watch, `workbench stop 32 33`")
        assert "loaded" not in terminal.screen()


def test_hostile_text_drives_no_terminal(seeded: Home) -> None:
    with opened(seeded) as terminal:
        terminal.read_until("reviews-full-31")
        terminal.send("down", "down", "enter")
        terminal.read_until("[CLS] [/red] ␛]0;x␇")
        assert b"\x1b]0;x" not in terminal.raw
        terminal.send("enter")
        terminal.read_until("log of run 31")
        assert b"\x1b]0;x" not in terminal.raw


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_signal_ends_it_in_good_order(seeded: Home, number: signal.Signals) -> None:
    with opened(seeded) as terminal:
        terminal.read_until("sst2-gradual-29")
        os.kill(terminal.process.pid, number)
        assert terminal.wait() == 128 + number
        assert b"\x1b[?1049l" in terminal.raw


def test_a_closed_window_ends_it(seeded: Home) -> None:
    with opened(seeded) as terminal:
        terminal.read_until("sst2-gradual-29")
        terminal.close()
        assert terminal.process.wait(10) in (128 + signal.SIGHUP, 120)  # 120: the last words found no terminal


def test_a_killed_screen_hurts_nothing(home: Home) -> None:
    with opened(home) as terminal:
        terminal.read_until("sst2-gradual-29")
        terminal.process.kill()
        terminal.wait()
    with opened(home) as terminal:
        terminal.read_until("sst2-gradual-29")


def test_ascii_needs_no_unicode(seeded: Home) -> None:
    with opened(seeded, "--ascii", size=(120, 40)) as terminal:
        terminal.read_until("sst2-gradual-29")
        terminal.send("3")
        terminal.read_until("loss")
        terminal.read_until("evaluation")
        odd = {char for char in terminal.screen() if ord(char) > 127}
        assert odd <= set("…→—·")


def test_no_color_writes_no_colour(seeded: Home) -> None:
    with opened(seeded, env={"NO_COLOR": "1"}) as terminal:
        terminal.read_until("sst2-gradual-29")
        terminal.send("3", "?")
        terminal.read_until("Keys in Live")
        styles = {part for style in re.findall(rb"\x1b\[([0-9;]*)m", terminal.raw) for part in style.split(b";")}
        assert styles <= {b"", b"0", b"1", b"2", b"7", b"39", b"49"}


def test_it_suspends_and_comes_back_painted(seeded: Home) -> None:
    with opened(seeded) as terminal:
        terminal.read_until("sst2-gradual-29")
        terminal.send("ctrl+z")
        os.waitpid(terminal.process.pid, os.WUNTRACED)
        while terminal.read(0.2):
            pass
        terminal._page.reset()
        os.kill(terminal.process.pid, signal.SIGCONT)
        terminal.read_until("sst2-gradual-29")
