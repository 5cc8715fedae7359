"""Live."""

from __future__ import annotations

from screens.keys import bindings
from screens.place import PlaceScreen


class LiveScreen(PlaceScreen):
    PLACE = "live"
    BINDINGS = bindings("live")
