from __future__ import annotations

from pathlib import Path

from screens.app import WorkbenchApp
from workbench.paths import Home


async def test_numbers_lead_to_the_places(tmp_path: Path) -> None:
    app = WorkbenchApp(Home(tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        for number, place in enumerate(("runs", "new", "live", "compare", "try"), 1):
            await pilot.press(str(number))
            await pilot.pause()
            assert app.place is not None
            assert place == app.place.PLACE
