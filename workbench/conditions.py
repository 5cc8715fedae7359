"""What a result may depend on beside its recipe: versions, threads, device. Light."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def changed(before: str | None, now: Mapping[str, Any]) -> list[str]:
    """Return the conditions that are others than before, each as `threads 1→2`; `before` is JSON, or None.

    What only one of the two knows of is no matter of this.
    """
    known: dict[str, Any] = json.loads(before) if before else {}
    return [f"{name} {known[name]}→{now[name]}" for name in known if name in now and known[name] != now[name]]
