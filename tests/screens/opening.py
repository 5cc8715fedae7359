"""The app over a seeded home, looked at by the test itself instead of by a thread."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from textual.pilot import Pilot

from screens.app import WorkbenchApp
from tests.screens.seed import NOW
from workbench.paths import Home


@asynccontextmanager
async def opened(
    home: Home, size: tuple[int, int] = (80, 24), *keys: str, **options: Any
) -> AsyncIterator[tuple[WorkbenchApp, Pilot[Any]]]:
    """Open the app at `NOW`, let it look once and press keys."""
    app = WorkbenchApp(home, **options)
    app.now = lambda: NOW
    app.begin = lambda: None
    async with app.run_test(size=size, notifications=True) as pilot:
        await look(app, pilot)
        for key in keys:
            await pilot.press(key)
        await look(app, pilot)
        yield app, pilot


async def look(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    """Let the feed look at the store, and again for what the screen watches since; wait for threads."""
    for _ in range(2):
        app.feed.poll()
        await pilot.pause()
    await app.workers.wait_for_complete()
    await pilot.pause()
