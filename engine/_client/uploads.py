"""Files as streams of bytes, never whole in memory; what ends in .gz is sent decompressed."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from engine.errors import BadInput, HmiError

CHUNK = 256 << 10

Texts = bytes | Path | Iterable[bytes | Path]
"""A corpus: its bytes, a file, or pieces of either kind in order."""

DatasetFormat = Literal["jsonl", "csv", "text"]

_FORMATS: dict[str, DatasetFormat] = {
    ".jsonl": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".txt": "text",
}


def dataset_format(path: Path) -> DatasetFormat:
    """The format that the name says, .gz aside."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    if not suffixes or suffixes[-1] not in _FORMATS:
        raise BadInput(
            f"The format of {path.name} is not known.",
            remedy="Give a file that ends in .jsonl, .json, .csv or, for a generator, .txt, or in "
            "one of them with .gz.",
            code="unknown_format",
        )
    return _FORMATS[suffixes[-1]]


def corpus(data: Texts) -> Iterator[bytes]:
    """The bytes of `data`; each file without its byte order mark and with its last line ended."""
    for piece in [data] if isinstance(data, bytes | Path) else data:
        yield from [piece] if isinstance(piece, bytes) else _whole_lines(piece)


def corpus_digest(data: Texts) -> tuple[int, str]:
    """Bytes and sha256 of what `corpus` would send: what the engine says of it once it has it."""
    digest, size = hashlib.sha256(), 0
    for chunk in corpus(data):
        digest.update(chunk)
        size += len(chunk)
    return size, digest.hexdigest()


def in_its_file(error: HmiError, data: Texts) -> HmiError:
    """`error`, which counts the lines of `data` as one text, told by file and line in that file."""
    pieces = [data] if isinstance(data, bytes | Path) else data
    if not isinstance(error, BadInput) or error.line is None or not isinstance(pieces, Sequence):
        return error
    before = 0
    for piece in pieces:
        chunks = [piece] if isinstance(piece, bytes) else _whole_lines(piece)
        lines = sum(chunk.count(b"\n") for chunk in chunks)
        if isinstance(piece, Path) and before < error.line <= before + lines:
            line = error.line - before
            detail = error.detail.replace(f"Line {error.line} ", f"Line {line} of {piece} ", 1)
            return BadInput(detail, remedy=error.remedy, code=error.code, line=line)
        before += lines
    return error


def _whole_lines(path: Path) -> Iterator[bytes]:
    last = b""
    for chunk in file_chunks(path):
        text = chunk if last else chunk.removeprefix(BOM_UTF8)
        if text:
            yield text
        last = chunk
    if last and not last.endswith(b"\n"):
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
