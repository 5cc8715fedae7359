"""Secrets are hidden before a text is shown or stored."""

from __future__ import annotations

import re

_TOKENS = re.compile(
    r"\b(hf_|api_org_|gh[pousr]_|github_pat_|sk-(?:proj-)?|xox[abp]-)[A-Za-z0-9_-]{12,}|\b(AKIA|ASIA)[0-9A-Z]{12,}"
)
_USER_INFO = re.compile(r"(\b[a-zA-Z][a-zA-Z0-9+.-]*://)[^/\s@'\"]+@")
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}")
_NAMED = re.compile(
    r"(?i)(?<![a-z0-9])([\w.-]{0,40}?(?:token|secret|passw(?:or)?d|credentials?|key))"
    r"(\s*=\s*|[\"']\s*[:=]\s*|(?<!token)(?<!key)\s*:\s+)(?:([\"']).*?(?:\3|$)|[^\s\"'&,;}\]]+)"
)
_HARMLESS_NAME = re.compile(
    r"(?i)(?:^|[._-])(?:pad|eos|bos|unk|cls|sep|mask|special|first|last|per|num|max|min|goal|sort|group|primary|foreign|"
    r"metric|next|prev|query|image|video|audio|add|added|use|is|has)[_-]?(?:token|key)$"
)


def redact(text: str) -> str:
    """Return `text` with what looks like a secret replaced by •••: tokens, URL user-info, values after secret names."""
    text = _TOKENS.sub(lambda match: f"{match[1] or match[2]}•••", text)
    text = _BEARER.sub(r"\1 •••", _USER_INFO.sub(r"\1•••@", text))
    return _NAMED.sub(lambda match: match[0] if _HARMLESS_NAME.search(match[1]) else f"{match[1]}{match[2]}•••", text)
