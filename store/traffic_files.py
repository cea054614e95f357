"""What the traffic of a domain asked for, in one file beside the domain's tables.

    <root>/<domain>/traffic.npz

It is a hint for the next rebuild, never truth: whoever reads it can do without.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Mapping
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from store import files
from store.errors import Damaged

_FILE = "traffic.npz"
_UNREADABLE = (OSError, ValueError, EOFError, KeyError, RuntimeError, BadZipFile, zlib.error)


class TrafficFiles:
    """The traffic of the domains below `root`, which is the tables' root."""

    def __init__(self, root: Path) -> None:
        self._root = root
        files.make_folder(root)

    def path(self, domain: str) -> Path:
        """Where the file is, or would be."""
        return self._root / files.check_name("domain", domain) / _FILE

    def put(self, domain: str, arrays: Mapping[str, NDArray[np.generic]]) -> int:
        """Store `arrays` by name in place of what was there, all or nothing; its bytes."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        return files.write_whole(self.path(domain), buffer.getbuffer())

    def get(self, domain: str) -> dict[str, NDArray[np.generic]] | None:
        """What `put` stored, None if it never did. Damaged naming the file."""
        path = self.path(domain)
        try:
            # From memory: numpy leaves a file open that turns out not to be an archive.
            with np.lib.npyio.NpzFile(io.BytesIO(path.read_bytes())) as stored:
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

    def sweep(self, keep: set[str]) -> int:
        """Remove the files of domains that are not in `keep`; how many went. For start-up."""
        swept = 0
        for path in list(self._root.glob(f"*/{_FILE}")):
            if path.parent.name not in keep:
                path.unlink()
                swept += 1
        return swept
