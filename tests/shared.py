"""Development data and weights that may stand beside the checkout; tests and benchmarks skip without them."""

from __future__ import annotations

import os
from pathlib import Path

SHARED = Path(os.environ.get("WORKBENCH_SHARED") or Path(__file__).resolve().parents[2] / "shared")
MINILM = SHARED / "models" / "all-MiniLM-L6-v2"
STORIES = SHARED / "models" / "stories260K"
SST2 = SHARED / "data" / "sst2"
