"""What files whose name does not say it should hold: their sha256 in NAME.sum beside NAME.

A file that is replaced has two sums for a moment, the old content's and the new one's. So whatever
moment the process dies at, what is in place is one of those that the sum allows.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from store import files, whole_files
from store.errors import Damaged

SUFFIX = ".sum"
_SUM = re.compile(r"([0-9a-f]{64}\n){1,2}")


def sum_of(path: Path) -> Path:
    """Where the sum of `path` is, or would be."""
    return path.with_name(path.name + SUFFIX)


def sha256_of(path: Path) -> str:
    """Of what the file holds now, hex. OSError as reading gives it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def allowed(path: Path) -> list[str] | None:
    """The sums that `path` may have; None if nobody said. Damaged naming the sum's own file."""
    try:
        text = sum_of(path).read_text(encoding="ascii")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        text = ""
    if _SUM.fullmatch(text) is None:
        raise Damaged(f"The checksum {sum_of(path)} is not one, so {path.name} is not trusted.")
    return text.split()


def check(path: Path) -> None:
    """Damaged naming the file if it is not what its sum says. One without a sum passes, as those
    do that an earlier version wrote. FileNotFoundError if it is not there."""
    sums = allowed(path)
    while sha256_of(path) not in (sums or ()):
        before, sums = sums, allowed(path)
        # Only if it was not just replaced.
        if sums == before:
            if sums is None:
                return
            raise Damaged(f"The file {path} does not match its checksum.")


def say(path: Path, *sums: str) -> None:
    """From now on `path` may have these sums, one or two."""
    lines = "".join(f"{each}\n" for each in dict.fromkeys(sums))
    whole_files.write_whole(sum_of(path), lines.encode())


def commit(incoming: whole_files.Incoming, name: str) -> Path:
    """`incoming.commit(name)`, with the sum of what came."""
    final = incoming.folder / name
    if final.exists():
        say(final, sha256_of(final), incoming.sha256)
    incoming.commit(name)
    say(final, incoming.sha256)
    return final


def write_whole(path: Path, content: files.Chunk | Iterable[files.Chunk]) -> int:
    """`whole_files.write_whole`, with the sum of what is written; its bytes."""
    chunks = [content] if isinstance(content, files.Chunk) else content
    with whole_files.Incoming(path.parent) as incoming:
        for chunk in chunks:
            incoming.write(chunk)
        commit(incoming, path.name)
        return incoming.bytes


def remove(path: Path) -> bool:
    """Remove a file and its sum, the sum first; False if the file was not there."""
    files.remove_file(sum_of(path))
    return files.remove_file(path)
