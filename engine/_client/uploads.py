"""Files as streams of bytes, never whole in memory; what ends in .gz is sent decompressed."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from engine.errors import BadInput

CHUNK = 256 << 10

Texts = bytes | Path | Iterable[bytes | Path]
"""A corpus: its bytes, a file, or pieces of either kind in order."""

_FORMATS: dict[str, Literal["jsonl", "csv"]] = {".jsonl": "jsonl", ".json": "jsonl", ".csv": "csv"}


def dataset_format(path: Path) -> Literal["jsonl", "csv"]:
    """The format that the name says, .gz aside."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    if not suffixes or suffixes[-1] not in _FORMATS:
        raise BadInput(
            f"The format of {path.name} is not known.",
            remedy="Give a file that ends in .jsonl, .json or .csv, or one of them with .gz.",
            code="unknown_format",
        )
    return _FORMATS[suffixes[-1]]


def corpus(data: Texts) -> Iterator[bytes]:
    """The bytes of `data`; a file that lacks its last line end gets one before the next piece."""
    if isinstance(data, bytes | Path):
        data = [data]
    for piece in data:
        if isinstance(piece, bytes):
            yield piece
            continue
        last = b"\n"
        for chunk in file_chunks(piece):
            yield chunk
            last = chunk[-1:]
        if last != b"\n":
            yield b"\n"


def file_chunks(path: Path) -> Iterator[bytes]:
    """The file's bytes, decompressed. Raises BadInput at once if it cannot be opened."""
    try:
        raw = path.open("rb")
    except OSError as error:
        reason = error.strerror or str(error)
        raise BadInput(
            f"{path} cannot be read: {reason}.",
            remedy="Check the path and its permissions.",
            code="no_such_file" if isinstance(error, FileNotFoundError) else "unreadable_file",
        ) from error
    raw.close()
    return _chunks(path)


def _chunks(path: Path) -> Iterator[bytes]:
    opener = gzip.open if path.suffix.lower() == ".gz" else Path.open
    try:
        with opener(path, "rb") as source:
            while chunk := source.read(CHUNK):
                yield chunk
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise BadInput(
            f"{path} is not a whole gzip file: {error}.",
            remedy="Fetch or compress it again.",
            code="bad_gzip",
        ) from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise BadInput(f"{path} cannot be read: {reason}.", code="unreadable_file") from error
