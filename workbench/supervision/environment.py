"""The environment of background processes: what training needs, and no secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

_NAMES = {
    "PATH", "HOME", "LANG", "USER", "LOGNAME", "TMPDIR", "TZ", "HF_HOME", "HF_HUB_CACHE", "HF_DATASETS_CACHE",
    "LD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV",
}  # fmt: skip
_PREFIXES = ("LC_", "CUDA_", "NVIDIA_", "HIP_", "ROCR_", "XDG_", "OMP_", "MKL_", "WORKBENCH_")
_ALWAYS = {
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    # Whatever kills a worker, its log has what it said last and where it was.
    "PYTHONUNBUFFERED": "1",
    "PYTHONFAULTHANDLER": "1",
}
_OF_THE_HUB = {
    "HF_TOKEN", "HF_TOKEN_PATH", "HUGGING_FACE_HUB_TOKEN", "HF_ENDPOINT", "HF_HUB_OFFLINE", "HF_HUB_DISABLE_XET",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
}  # fmt: skip
_SECRET = re.compile("token|secret|passw|credential|api_?key", re.IGNORECASE)

ROOT = Path(__file__).resolve().parents[2]
"""The folder that holds the packages."""


def allowed(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a background process may see, and those that make it quiet, prompt and offline."""
    kept = {
        name: value
        for name, value in environment.items()
        if (name in _NAMES or name.startswith(_PREFIXES)) and not _SECRET.search(name)
    }
    if ROOT.name not in ("site-packages", "dist-packages"):
        # A checkout that is not installed: the worker starts in another folder and must still find it.
        paths = [str(ROOT), *(path for path in kept.get("PYTHONPATH", "").split(":") if path and path != str(ROOT))]
        kept["PYTHONPATH"] = ":".join(paths)
    return kept | _ALWAYS


def for_hub(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what the process that asks the Hub may see: the only one that is given a token."""
    online = {name: value for name, value in allowed(environment).items() if name != "HF_HUB_OFFLINE"}
    return online | {name: value for name, value in environment.items() if name in _OF_THE_HUB}


def for_slot(environment: Mapping[str, str], slot: str, device: str) -> dict[str, str]:
    """Return what a worker in this slot sees: its own GPU alone, or none."""
    return allowed(environment) | {"CUDA_VISIBLE_DEVICES": device, "WORKBENCH_SLOT": slot}
