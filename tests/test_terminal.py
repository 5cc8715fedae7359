"""A real terminal sees the app, its keys work, and no hostile byte reaches it."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from tests.screens.support import HOSTILE_SHOWN
from tests.terminal import Terminal

ROOT = Path(__file__).parent.parent
ARGV = (sys.executable, "-m", "tests.trivial_app")


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_an_app_paints_takes_keys_and_quits(size: tuple[int, int]) -> None:
    with Terminal(ARGV, size=size, cwd=ROOT) as terminal:
        screen = terminal.read_until(lambda screen: "ready" in screen and "c3Rv" in screen)
        assert HOSTILE_SHOWN in screen
        assert "\\x9b31m ␛]52;c;c3RvbGVu␇" in screen
        assert terminal.first_paint is not None
        terminal.send("+", "+")
        assert terminal.read_until("pressed 2").startswith("pressed 2")
        terminal.send("q")
        assert terminal.wait() == 0
        assert b"\x1b]0;x" not in terminal.raw
        assert b"\x1b]52" not in terminal.raw
        assert "\x9b".encode() not in terminal.raw


def test_hanging_up_ends_the_app() -> None:
    with Terminal(ARGV, cwd=ROOT) as terminal:
        terminal.read_until("ready")
        terminal.close()
        assert terminal.process.wait(15) == -signal.SIGHUP


def test_a_program_that_ends_early_is_told_with_its_screen() -> None:
    with Terminal((sys.executable, "-c", "print('gone')")) as terminal, pytest.raises(AssertionError, match="gone"):
        terminal.read_until("never")
