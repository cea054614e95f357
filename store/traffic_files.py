"""What the traffic of a domain asked for, in one file for each backbone beside the domain's tables.

    <root>/<domain>/traffic-<the backbone's sha256, 16 digits>.npz
    <root>/<domain>/traffic.npz    from before backbones were told apart

It is a hint for the next rebuild, never truth: whoever reads it can do without. Its last line is
the sha256 of what comes before.
"""

from __future__ import annotations

import hashlib
import io
import zlib
from collections.abc import Mapping
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from store import files, whole_files
from store.errors import Damaged
from store.files import Chunk
from store.measured import Measured, measure

_STEM, _SUFFIX = "traffic", ".npz"
_ALL = f"*/{_STEM}*{_SUFFIX}"
_DIGITS = 16
_MARK = b"\nsha256 "
_TRAILER = len(_MARK) + 64
_END, _END_MARK = 22, b"PK\5\6"
"""Of a zip archive."""
_UNREADABLE = (OSError, ValueError, EOFError, KeyError, RuntimeError, BadZipFile, zlib.error)


class TrafficFiles:
    """The traffic of the domains below `root`, which is the tables' root, as one backbone's token
    ids count it."""

    def __init__(self, root: Path, backbone: str = "") -> None:
        """`backbone` is the sha256 of its weights; without one, whoever counted before backbones
        were told apart."""
        self._root = root
        self._name = f"{_STEM}-{backbone[:_DIGITS]}{_SUFFIX}" if backbone else f"{_STEM}{_SUFFIX}"
        files.make_folder(root)

    def path(self, domain: str) -> Path:
        """Where the file is, or would be."""
        return self._root / files.check_name("domain", domain) / self._name

    def put(self, domain: str, arrays: Mapping[str, NDArray[np.generic]]) -> int:
        """Store `arrays` by name in place of what was there, all or nothing; its bytes."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        content = buffer.getbuffer()
        return whole_files.write_whole(self.path(domain), [content, _trailer(content)])

    def get(self, domain: str) -> dict[str, NDArray[np.generic]] | None:
        """What `put` stored, None if it never did. Damaged naming the file."""
        path = self.path(domain)
        try:
            # From memory: numpy leaves a file open that turns out not to be an archive.
            with np.lib.npyio.NpzFile(io.BytesIO(_checked(path.read_bytes()))) as stored:
                return {name: stored[name] for name in stored.files}
        except FileNotFoundError:
            return None
        except _UNREADABLE as error:
            raise Damaged(f"The traffic file {path} cannot be read: {error}.") from error

    def remove(self, domain: str) -> None:
        """Nothing happens if there is none."""
        path = self.path(domain)
        if path.parent.is_dir():
            files.remove_file(path)

    def take(self, domain: str, other: TrafficFiles) -> None:
        """The domain's file among `other` is this backbone's from now on, if it has none yet."""
        given, own = other.path(domain), self.path(domain)
        if given.is_file() and not own.exists():
            with files.disk_errors(own):
                given.rename(own)
                files.fsync_folder(own.parent)

    def measure(self) -> Measured:
        """All there are, whatever backbone they are of."""
        return sum(map(measure, self._root.glob(_ALL)), Measured())

    def sweep(self, keep: set[str]) -> int:
        """Remove the files of domains that are not in `keep`, whatever backbone they are of; how
        many went. For start-up."""
        swept = 0
        for path in list(self._root.glob(_ALL)):
            if path.parent.name not in keep:
                with files.disk_errors(path):
                    path.unlink()
                swept += 1
        return swept


def is_traffic(path: Path) -> bool:
    """Whether the file is one of these, going by its name."""
    return path.name.startswith(_STEM) and path.suffix == _SUFFIX


def check_traffic(path: Path) -> None:
    """Damaged naming the file if it does not end in its checksum. OSError as reading gives it."""
    try:
        _checked(path.read_bytes())
    except ValueError as error:
        raise Damaged(f"The traffic file {path} cannot be read: {error}.") from error


def _trailer(content: Chunk) -> bytes:
    return _MARK + hashlib.sha256(content).hexdigest().encode()


def _checked(data: bytes) -> bytes:
    """The archive without its trailer. ValueError if that is of another; an archive of an earlier
    version has none."""
    content, said = data[:-_TRAILER], data[-_TRAILER:]
    if not said.startswith(_MARK):
        if data[-_END:].startswith(_END_MARK):
            return data
        raise ValueError("it has neither a checksum nor the end of an archive")
    if said != _trailer(content):
        raise ValueError("it does not match its checksum")
    return content
