"""Every string and number on its way to a screen or to a plain-text command.

Text from data, models, file systems and errors is hostile until `plain` has seen it: no character that
drives a terminal, reorders a line or hides itself gets through. Widths are counted in terminal cells.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Literal

from workbench.redaction import redact

__all__ = [
    "ABSENT", "Align", "ago", "bar", "count", "cut", "duration", "fit", "middle", "number", "percent", "plain",
    "plural", "quantity", "rate", "redact", "signed", "size", "spelled", "table", "width",
]  # fmt: skip

Align = Literal["left", "right"]

ABSENT = "—"
ELLIPSIS = "…"

_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but tab and newline, DEL, C1
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0"  # soft hyphen, fillers, Mongolian selectors
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff0-\uffff"  # zero-width, separators, bidi, specials
    "\ud800-\udfff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U00013430-\U0001345f\U000e0000-\U000e0fff]"
)
_EMOJI_STYLE = re.compile("[\ufe00-\ufe0f]")
_JOINING_LETTER = re.compile("[\u0600-\u0dff\u1000-\u109f\u1780-\u17ff]")  # Arabic, Indic, Myanmar, Khmer
_PICTOGRAPH = re.compile("[\u2190-\u21ff\u2300-\u23ff\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff]")
_SHOWN_FORMAT = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
_MARKS_PER_CELL = 12


def plain(text: object, limit: int | None = None, newlines: bool = False) -> str:
    """Return `text` with nothing in it that a terminal would obey, in one line unless `newlines`.

    Controls become their pictures (␛), other hidden characters their escapes (`\\u202e`), a tab one space, a newline
    ⏎. Joiners stay where they shape letters or emoji; emoji variation selectors go, because terminals disagree about
    their width. `limit` is in cells; what is cut ends in an ellipsis.
    """
    shown = text if isinstance(text, str) else str(text)
    cut_early = limit is not None and len(shown) > (limit + 2) * _MARKS_PER_CELL
    if limit is not None and cut_early:
        shown = shown[: (limit + 2) * _MARKS_PER_CELL]
    if not (shown.isascii() and shown.isprintable()):
        shown = _neutralise(shown, newlines)
    if limit is None:
        return shown
    if cut_early and width(shown) <= limit:
        return _take(shown, limit - 1) + ELLIPSIS if limit > 0 else ""
    return cut(shown, limit)


def _neutralise(text: str, newlines: bool) -> str:
    """Replace what hides or drives; see `plain`."""
    text = text.replace("\r\n", "\n").replace("\t", " ")
    if not newlines:
        text = text.replace("\n", "⏎")
    text = _HIDDEN.sub(_picture, _EMOJI_STYLE.sub("", text))
    if text and not text[0].isascii() and _cells_of(text[0]) == 0:
        return "◌" + text  # a mark with no letter would climb on the neighbouring column
    return text


def _picture(match: re.Match[str]) -> str:
    """Return what stands for one hidden character, or the character itself where it shapes its neighbours."""
    char, code = match[0], ord(match[0])
    if code in (0x200C, 0x200D):
        start, end = match.span()
        before, after = match.string[max(0, start - 1) : start], match.string[end : end + 1]
        if _JOINING_LETTER.match(before) and _JOINING_LETTER.match(after):
            return char
        if code == 0x200D and _PICTOGRAPH.match(before) and _PICTOGRAPH.match(after):
            return char
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def spelled(text: str, spell: Callable[[str], str]) -> str:
    """Return `text` with each character that `plain` would replace as `spell` writes it.

    For JSON and TOML, which have escapes of their own and must come back as they were.
    """
    return _HIDDEN.sub(lambda match: spell(match[0]), text)


@lru_cache(maxsize=8192)
def _cells_of(char: str) -> int:
    """Return how many cells one character takes (0, 1, 2), as wcwidth and Rich count them."""
    code, kind = ord(char), unicodedata.category(char)
    if kind[0] == "M" or 0x1F3FB <= code <= 0x1F3FF or 0x1160 <= code <= 0x11FF or 0xD7B0 <= code <= 0xD7FF:
        return 0
    if kind in ("Cf", "Cc"):
        return 1 if char in _SHOWN_FORMAT else 0
    if kind == "Cn":  # newer than this Python's tables: in the emoji block it is wide
        return 2 if code == 0x1F6DC or 0x1FA80 <= code <= 0x1FAFF else 1
    if 0x4DC0 <= code <= 0x4DFF or 0x1D300 <= code <= 0x1D376 or 0x2630 <= code <= 0x2637 or 0x268A <= code <= 0x268F:
        return 2  # wide since Unicode 16
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _clusters(text: str) -> Iterator[tuple[str, int]]:
    """Yield what stands together (a letter and its marks, joined emoji) with its width in cells."""
    start, total, joined = 0, 0, False
    for index, char in enumerate(text):
        cells = 0 if joined else _cells_of(char)
        joined = char == "\u200d"
        if cells and index > start:
            yield text[start:index], total
            start, total = index, 0
        total += cells
    if start < len(text):
        yield text[start:], total


def width(text: str) -> int:
    """Return the width of `text` in terminal cells: 2 for wide characters, 0 for combining marks."""
    return len(text) if text.isascii() else sum(cells for _, cells in _clusters(text))


def _take(text: str, cells: int) -> str:
    """Return the longest beginning of `text` within `cells`, never half a character."""
    taken, total = [], 0
    for cluster, size_ in _clusters(text):
        total += size_
        if total > cells:
            break
        taken.append(cluster)
    return "".join(taken)


def cut(text: str, cells: int) -> str:
    """Return `text` within `cells`, ending in an ellipsis where something was left out."""
    if cells <= 0:
        return ""
    if width(text) <= cells:
        return text
    return (text[: cells - 1] if text.isascii() else _take(text, cells - 1)) + ELLIPSIS


def fit(text: str, cells: int, align: Align = "left") -> str:
    """Return `text` cut or padded with spaces to exactly `cells`."""
    shown = cut(text, cells)
    blank = " " * (cells - width(shown))
    return shown + blank if align == "left" else blank + shown


def middle(text: str, cells: int) -> str:
    """Return `text` within `cells`, cut in the middle: the end of a path says more than its centre."""
    if width(text) <= cells:
        return text
    if cells <= 1:
        return ELLIPSIS[:cells]
    clusters = list(_clusters(text))
    tail: list[str] = []
    room = cells - 1 - (cells - 1) // 2
    for cluster, size_ in reversed(clusters):
        room -= size_
        if room < 0:
            break
        tail.append(cluster)
    return _take(text, (cells - 1) // 2) + ELLIPSIS + "".join(reversed(tail))


def table(rows: Sequence[Sequence[str]], headers: Sequence[str] = (), align: Sequence[Align] = ()) -> list[str]:
    """Return aligned lines, columns two spaces apart, of cells that `plain` has already seen.

    A column without an entry in `align` is left-aligned; short rows are filled with nothing.
    """
    lines = [list(headers), *map(list, rows)] if headers else [list(row) for row in rows]
    columns = max(map(len, lines), default=0)
    sides = [*align, *["left"] * columns][:columns]
    for line in lines:
        line.extend([""] * (columns - len(line)))
    widths = [max(width(line[i]) for line in lines) for i in range(columns)]
    return [
        "  ".join(fit(cell, cells, side) for cell, cells, side in zip(line, widths, sides, strict=True)).rstrip()  # type: ignore[arg-type]
        for line in lines
    ]


def number(value: float | None, digits: int = 3) -> str:
    """Return a metric compactly: `digits` decimals below 1 (0.921), one more significant digit above, 1.2e-05 below.

    The minus sign is ASCII, so the text can be typed back; None is — and what is not finite says so.
    """
    if value is None:
        return ABSENT
    if isinstance(value, int):
        return count(value)
    if not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    if value == 0:
        return "0"
    size_ = abs(value)
    if size_ < 10**-digits or size_ >= 1e7:
        return f"{value:.{1 if size_ < 1 else 2}e}".replace(".0e", "e")
    decimals = digits if size_ < 1 else max(0, digits + 1 - len(str(int(float(f"{size_:.{digits + 1}g}")))))
    return f"{value:.{decimals}f}"


def signed(value: float | None, digits: int = 3) -> str:
    """Return a difference with its sign, to be read and not typed back: +0.010, −0.003, ±0."""
    if value is None or math.isnan(value):
        return number(value, digits)
    return "±0" if value == 0 else ("+" if value > 0 else "−") + number(abs(value), digits)


def percent(share: float | None) -> str:
    """Return a share of 1 in per cent, two digits that count below ten: 100 %, 34 %, 0.3 %, < 0.01 %."""
    if share is None or not math.isfinite(share):
        return number(share)
    value = 100 * share
    if 0 < value < 0.01:
        return "< 0.01 %"
    return f"{value:.0f} %" if value >= 9.95 or value == 0 else f"{value:.2g} %"


def count(value: int) -> str:
    """Return a whole number in groups of three, parted by plain spaces that screen readers read: 5 210."""
    return f"{value:,}".replace(",", " ")


def quantity(value: float | None) -> str:
    """Return a large number with one of k, M, B, T: 22.7 M; below a thousand as it is."""
    if value is None or not math.isfinite(value):
        return number(value)
    return _scaled(value, 1000, ("", "k", "M", "B", "T"))


def size(value: float | None) -> str:
    """Return bytes in binary units: 3.2 GiB."""
    if value is None or not math.isfinite(value):
        return number(value)
    return _scaled(value, 1024, ("B", "KiB", "MiB", "GiB", "TiB", "PiB"))


def _scaled(value: float, step: int, units: Sequence[str]) -> str:
    """Return `value` divided by `step` until it has at most three digits before the point, with its unit."""
    index = 0
    while abs(value) >= step - 0.5 and index < len(units) - 1:
        value, index = value / step, index + 1
    whole = index == 0 or abs(value) >= 99.95
    shown = f"{value:.0f}" if whole else f"{value:.1f}".removesuffix(".0")
    return f"{shown} {units[index]}".rstrip()


def rate(value: float | None, unit: str = "it/s") -> str:
    """Return how many per second: 14.6 it/s, 0.052 it/s, 12.3 k ex/s."""
    if value is None or not math.isfinite(value) or value < 0:
        return ABSENT
    shown = quantity(value) if value >= 10_000 else count(round(value)) if value >= 99.95 else f"{value:.3g}"
    return f"{shown} {unit}".rstrip()


def duration(seconds: float | None) -> str:
    """Return a length of time: 340 ms, 12 s, 8:26, 1:02:03, 2 d 3 h."""
    if seconds is None or not math.isfinite(seconds):
        return ABSENT
    if 0 < seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, hours = whole // 60 % 60, whole // 3600
    if hours >= 48:
        return f"{hours // 24} d {hours % 24} h"
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def ago(then: float | None, now: float) -> str:
    """Return how long before `now` it was, both in seconds since the epoch: now, 6m, 2h, 3d, 5w, 2y."""
    if then is None or not math.isfinite(then):
        return ABSENT
    passed = int(now - then)
    for unit, seconds in (("y", 31_557_600), ("w", 604_800), ("d", 86_400), ("h", 3600), ("m", 60)):
        if passed >= seconds * (5 if unit == "w" else 1):
            return f"{passed // seconds}{unit}"
    return "now"


def bar(fraction: float | None, cells: int, ascii: bool = False) -> str:
    """Return a bar `cells` wide: full only at 1, empty only at 0; nothing known is an empty bar."""
    full, empty = ("#", "-") if ascii else ("▰", "▱")
    share = 0.0 if fraction is None or math.isnan(fraction) else min(1.0, max(0.0, fraction))
    filled = round(share * cells)
    if 0 < share < 1 and cells > 1:
        filled = min(cells - 1, max(1, filled))
    return full * filled + empty * (cells - filled)


def plural(n: int, noun: str, many: str | None = None) -> str:
    """Return the count with its noun: 1 run, 5 210 runs; `many` where adding an s does not do."""
    return f"{count(n)} {noun if n == 1 else many or noun + 's'}"
