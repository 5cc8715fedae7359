"""From the bytes of a file to its text: unpacked, decoded, or an error that names the line."""

from __future__ import annotations

import codecs
import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from workbench.errors import WorkbenchError

PACKED = b"\x1f\x8b"
POINTER = b"version https://git-lfs.github.com/spec/"
LOOKED_AT = 200_000
"""Bytes that the guess of an encoding looks at."""

_RUN = re.compile(rb"[\x80-\xff]{2,}")
_SCRIPTS = (
    ("shift_jis", "Shift JIS", "[\u3040-\u30ff]", 0.2),
    ("euc_jp", "EUC-JP", "[\u3040-\u30ff]", 0.2),
    ("cp949", "EUC-KR", "[\uac00-\ud7a3]", 0.8),
    ("gb18030", "GB 18030", "[\u4e00-\u9fff\u3000-\u303f\uff00-\uffef]", 0.9),
    ("cp1251", "Windows Cyrillic (cp1251)", "[\u0400-\u04ff]", 0.8),
)
"""Encodings of scripts without Latin letters, and the share of their own letters that text in them has."""


@dataclass(frozen=True)
class Text:
    """The text of a file; `encoding` is its name for people."""

    text: str
    encoding: str
    notes: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[tuple[int, str]]:
        """Yield each line with its number, from 1; lines end in a line feed, after a carriage return or not."""
        lines = self.text.split("\n")
        if not lines[-1]:
            lines.pop()
        for number, line in enumerate(lines, 1):
            yield number, line.removesuffix("\r")


def load(path: Path) -> bytes:
    """Return what a file holds, unpacked where gzip packed it; raise a WorkbenchError where that is nothing."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise WorkbenchError(f"cannot be read: {error.strerror}", where=str(path), code="unreadable-file") from error
    if content.startswith(POINTER):
        raise WorkbenchError(
            "this is a Git LFS pointer, not the file itself",
            where=str(path),
            hint="Fetch the file in its repository: git lfs pull",
            code="lfs-pointer",
        )
    if content.startswith(PACKED):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise WorkbenchError(
                f"the gzip file is damaged: {error}",
                where=str(path),
                hint="Copy or fetch it again.",
                code="damaged-file",
            ) from error
    elif content and path.suffix.lower() == ".gz":
        raise WorkbenchError(
            "the name ends in .gz, but the file is not packed with gzip",
            where=str(path),
            hint="Take .gz off its name, or fetch it again.",
            code="damaged-file",
        )
    if not content:
        raise WorkbenchError("the file is empty", where=str(path), code="empty-file")
    return content


def load_text(path: Path) -> Text:
    """Return the text of a file in UTF-8, or in UTF-16 where it begins with that mark."""
    return decode(load(path), path)


def decode(content: bytes, path: Path) -> Text:
    """Return the text of a file's content; raise a WorkbenchError that names the line that cannot be decoded."""
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if wide and not content.startswith(codecs.BOM_UTF32_LE):
        try:
            return Text(content.decode("utf-16"), "UTF-16", ["the file is UTF-16"])
        except UnicodeDecodeError as error:
            raise WorkbenchError("the file begins as UTF-16, but is not", where=str(path), code="encoding") from error
    try:
        # Spreadsheets begin a file with a byte order mark, which is no part of the first column's name.
        return Text(content.decode("utf-8-sig"), "UTF-8")
    except UnicodeDecodeError as error:
        raise _refusal(content, path, error) from error


def _refusal(content: bytes, path: Path, error: UnicodeDecodeError) -> WorkbenchError:
    start = error.start + (len(codecs.BOM_UTF8) if content.startswith(codecs.BOM_UTF8) else 0)
    line = content.count(b"\n", 0, start) + 1
    if error.reason == "unexpected end of data":
        return WorkbenchError(
            f"line {line} ends the file in the middle of a character",
            str(path),
            "The file is cut: fetch it again.",
            code="encoding",
        )
    sample = content[max(0, start - LOOKED_AT // 2) : start + LOOKED_AT // 2]
    if _mostly_utf8(sample):
        return WorkbenchError(
            f"line {line} is not UTF-8, but the lines around it are",
            where=str(path),
            hint="Mend that line, or drop such characters: iconv -c -f utf-8 -t utf-8",
            code="encoding",
        )
    title, codec = guess(sample)
    return WorkbenchError(
        f"line {line} is not UTF-8; the file looks like {title}",
        where=str(path),
        hint=f"Convert it: iconv -f {codec} -t utf-8",
        code="encoding",
    )


def guess(sample: bytes) -> tuple[str, str]:
    """Return the title and the codec of what bytes that are not UTF-8 are likely to be.

    Letters of Western texts stand alone between ASCII ones, those of other scripts in runs.
    """
    if sample.count(0) > len(sample) / 5:
        codec = "utf-32" if sample.count(0) > len(sample) / 2 else "utf-16-be" if sample[0] == 0 else "utf-16-le"
        return f"{codec[:6].upper()}{'' if codec == 'utf-32' else ' without a mark'}", codec
    high = sum(1 for byte in sample if byte >= 0x80)
    if sum(map(len, _RUN.findall(sample))) > 0.6 * high:
        for codec, title, letters, share in _SCRIPTS:
            text = sample.decode(codec, errors="replace")
            foreign = [char for char in text if char > "\x7f"]
            if foreign and len(re.findall(letters, text)) >= share * len(foreign) and "\ufffd" not in text[2:-2]:
                return title, codec
    try:
        sample.decode("cp1252")
    except UnicodeDecodeError:
        return "Latin-1 (iso-8859-1)", "iso-8859-1"
    return "Latin-1 (cp1252)", "cp1252"


def _mostly_utf8(sample: bytes) -> bool:
    text = sample.decode("utf-8", errors="replace")
    broken = text.count("\ufffd")
    return sum(1 for char in text if char > "\x7f") - broken > 10 * broken
