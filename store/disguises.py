"""What a file that is not UTF-8 text probably is: told from its beginning, or from a bad line."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

HEAD = 16
"""Bytes of a file's beginning that tell what it is."""


@dataclass(frozen=True, slots=True)
class Disguise:
    """`looks` completes "it is ..."; `remedy` says how to make text of it."""

    looks: str
    remedy: str


_UNPACK = "Give the text in it, a document a line."
_MAGIC = {
    b"\x1f\x8b": Disguise(
        "a gzip file", "Let its name end in .gz, and hmi decompresses it; or send it decompressed."
    ),
    b"PK\x03\x04": Disguise("a zip file, or a document of an office program", _UNPACK),
    b"\xfd7zXZ": Disguise("an xz file", _UNPACK),
    b"\x28\xb5\x2f\xfd": Disguise("a zstd file", _UNPACK),
    b"%PDF-": Disguise("a PDF document", _UNPACK),
}
_MARKS = {
    # UTF-32's mark begins with UTF-16's, so it comes first.
    b"\xff\xfe\0\0": "UTF-32",
    b"\0\0\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}


def of_head(head: bytes) -> Disguise | None:
    """By the first HEAD bytes of a file: what packs text, or text two or four bytes wide."""
    for magic, disguise in _MAGIC.items():
        if head.startswith(magic):
            return disguise
    for mark, encoding in _MARKS.items():
        if head.startswith(mark):
            return _encoded(encoding)
    even, odd = head[::2], head[1::2]
    if len(head) >= 4 and not any(odd) and all(even):
        return _encoded("UTF-16LE")
    if len(head) >= 4 and not any(even) and all(odd):
        return _encoded("UTF-16BE")
    return None


def of_line(line: bytes, at: int) -> Disguise:
    """By a line, with its end if it has one, whose byte `at` is no UTF-8 text.

    Western text has single letters beyond ASCII among others; where they come in runs, one of
    many encodings may be meant and none is named.
    """
    if line[at] == 0:
        return Disguise("a binary file", "Give plain UTF-8 text, one document a line.")
    if _is_utf8_so_far(line[at:]):
        return Disguise(
            "text that was cut off in the middle of a character, or in another encoding",
            "Fetch it again, or convert it: iconv -f ENCODING -t UTF-8 FILE.",
        )
    high = [byte >= 0x80 for byte in line]
    in_runs = sum(here and (before or after) for before, here, after in _neighbours(high))
    if 2 * in_runs > sum(high):
        return Disguise(
            "text in another encoding",
            "Find out in which, then convert it: iconv -f ENCODING -t UTF-8 FILE.",
        )
    # What Latin-1 has no characters for are letters and quotation marks in Windows-1252.
    if any(0x80 <= byte < 0xA0 for byte in line):
        return _encoded("WINDOWS-1252")
    return _encoded("ISO-8859-1", "Latin-1 (ISO-8859-1)")


def _is_utf8_so_far(end: bytes) -> bool:
    """Whether `end` begins a character that more bytes would complete."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        return decoder.decode(end) == "" and bool(end)
    except UnicodeDecodeError:
        return False


def _neighbours(flags: list[bool]) -> zip[tuple[bool, bool, bool]]:
    return zip([False, *flags], flags, [*flags[1:], False], strict=False)


def _encoded(encoding: str, name: str = "") -> Disguise:
    return Disguise(
        f"{name or encoding} text", f"Convert it first: iconv -f {encoding} -t UTF-8 FILE."
    )
