"""Runs."""

from __future__ import annotations

from screens.keys import bindings
from screens.place import PlaceScreen


class RunsScreen(PlaceScreen):
    PLACE = "runs"
    BINDINGS = bindings("runs")
