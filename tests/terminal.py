"""A real terminal for tests: a program on a pty, its bytes, and the screen they draw."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import pyte

KEYS = {
    "up": "\x1b[A", "down": "\x1b[B", "right": "\x1b[C", "left": "\x1b[D", "home": "\x1b[H", "end": "\x1b[F",
    "pageup": "\x1b[5~", "pagedown": "\x1b[6~", "enter": "\r", "escape": "\x1b", "tab": "\t", "shift+tab": "\x1b[Z",
    "space": " ", "backspace": "\x7f", "delete": "\x1b[3~", "f1": "\x1bOP",
}  # fmt: skip
_UNKNOWN_TO_PYTE = re.compile(rb"\x1b\[[<>=][0-9;:]*[a-zA-Z]|\x1b\[\??[0-9;]*\$[a-z]|\x1b[P_^].*?\x1b\\", re.DOTALL)
_UNFINISHED = re.compile(rb"\x1b(?:\[[0-9;:<>=?$]*|[P_^][^\x1b]*)?$")


def key(name: str) -> str:
    """Return what a terminal sends for a key: `down`, `ctrl+q`, or the character itself."""
    if name.startswith("ctrl+") and len(name) == 6:
        return chr(ord(name[5].upper()) & 0x1F)
    return KEYS.get(name, name)


class Terminal:
    """A process on a pseudo-terminal in its own session; leaving the `with` hangs up and kills what is left.

    `size` is (columns, rows). The environment is small and fixed, so that a test does not depend on who runs it;
    `env` is added to it.
    """

    def __init__(
        self,
        argv: Sequence[str],
        env: Mapping[str, str] | None = None,
        size: tuple[int, int] = (80, 24),
        cwd: str | Path | None = None,
    ) -> None:
        """Start `argv`."""
        self.size = size
        self.raw = b""
        self.first_paint: float | None = None
        self._pending = b""
        self._page = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self._page)
        self._master, slave = os.openpty()
        self._set_size(size)
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH", "TMPDIR") if name in os.environ}
        self._started = time.monotonic()
        self.process = subprocess.Popen(
            argv,
            env={**kept, "TERM": "xterm-256color", "LANG": "C.UTF-8", **(env or {})},
            cwd=cwd,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            preexec_fn=_take_terminal,
        )
        os.close(slave)

    def __enter__(self) -> Terminal:
        """Return the terminal itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Hang up and make sure that nothing is left."""
        self.close()
        self.kill()

    def _set_size(self, size: tuple[int, int]) -> None:
        """Tell the kernel the size of the window."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))

    def resize(self, columns: int, rows: int) -> None:
        """Change the size of the window; the program gets SIGWINCH."""
        self.size = (columns, rows)
        self._page.resize(rows, columns)
        self._set_size(self.size)

    def read(self, timeout: float) -> bool:
        """Take in what the program writes within `timeout` seconds; return whether it wrote anything."""
        if self._master < 0 or not select.select([self._master], [], [], max(0.0, timeout))[0]:
            return False
        try:
            data = os.read(self._master, 65_536)
        except OSError:  # EIO: the last process has closed its side
            return False
        self.raw += data
        self._draw(data)
        if self.first_paint is None and self.screen().strip():
            self.first_paint = time.monotonic() - self._started
        return bool(data)

    def _draw(self, data: bytes) -> None:
        """Feed the screen; sequences that pyte would print as text are left out, a half one waits for its end."""
        data = self._pending + data
        unfinished = _UNFINISHED.search(data)
        cut = unfinished.start() if unfinished else len(data)
        data, self._pending = data[:cut], data[cut:]
        self._stream.feed(_UNKNOWN_TO_PYTE.sub(b"", data))

    def read_until(self, wanted: str | Callable[[str], bool], timeout: float = 15.0) -> str:
        """Read until the screen contains a text or fulfils a predicate; return the screen.

        Raises AssertionError with the screen in it when the time is over or the program has ended before.
        """
        fulfilled = wanted if callable(wanted) else lambda screen: wanted in screen
        deadline = time.monotonic() + timeout
        while not fulfilled(self.screen()):
            left = deadline - time.monotonic()
            ended = self.process.poll() is not None
            if not self.read(min(left, 0.05)) and (ended or left <= 0):
                told = f"ended with {self.process.returncode}" if ended else f"not within {timeout} s"
                raise AssertionError(f"{told}; the screen was:\n{self.screen()}")
        return self.screen()

    def send(self, *keys: str) -> None:
        """Press keys by name (`down`, `ctrl+q`) or as they are."""
        os.write(self._master, "".join(map(key, keys)).encode())

    def screen(self) -> str:
        """Return the text of the screen, one line a row, without blanks at the ends."""
        return "\n".join(line.rstrip() for line in self._page.display)

    def wait(self, timeout: float = 15.0) -> int:
        """Return the exit status of the program, taking in what it still writes."""
        deadline = time.monotonic() + timeout
        while self.process.poll() is None:
            if time.monotonic() > deadline:
                raise AssertionError(f"still running after {timeout} s; the screen was:\n{self.screen()}")
            self.read(0.05)
        while self.read(0):
            pass
        return self.process.returncode

    def close(self) -> None:
        """Hang up, as a closed window or a lost connection does."""
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    def kill(self) -> None:
        """Kill the program and what shares its process group; a process with its own session lives on."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def _take_terminal() -> None:
    """Make the pty the controlling terminal of a new session, so that hanging up sends SIGHUP."""
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
