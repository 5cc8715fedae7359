"""From scratch: the backbone's architecture with random weights; the task alone teaches it."""

from __future__ import annotations

from workbench.strategies.full import Full


class Scratch(Full):
    pretrained = False
