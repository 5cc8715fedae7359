"""The `workbench` command: opens the app, or hands over to the commands."""

from __future__ import annotations

import os
import sys

from workbench.paths import Home


def main() -> None:
    """Run the command line."""
    from workbench.commands import commands

    os.umask(0o077)
    commands.main(prog_name="workbench")


def open_app(home: Home, *, ascii: bool, mouse: bool, readonly: bool) -> int:
    """Open the terminal interface; return the exit code."""
    terminal = all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))
    if not terminal or os.environ.get("TERM", "dumb") == "dumb":
        print("The interface needs a terminal. For scripts there are commands: workbench --help", file=sys.stderr)
        return 2
    os.environ.setdefault("TEXTUAL_FPS", "20")
    os.environ.setdefault("TEXTUAL_SMOOTH_SCROLL", "0")
    from screens.app import WorkbenchApp

    app = WorkbenchApp(home, ascii=ascii, readonly=readonly)
    message = app.run(mouse=mouse)
    if message:
        print(message)
    return app.return_code or 0


if __name__ == "__main__":
    main()
