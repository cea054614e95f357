"""How much there is on disk, in files and bytes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Measured:
    """So many files, and their bytes together."""

    files: int = 0
    bytes: int = 0

    def __add__(self, other: Measured) -> Measured:
        return Measured(self.files + other.files, self.bytes + other.bytes)


def measure(path: Path) -> Measured:
    """What is at and below `path`; nothing if it is not there, or is removed meanwhile."""
    try:
        if not path.is_dir():
            return Measured(1, path.stat().st_size)
        found = Measured()
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    found += measure(Path(entry.path))
                else:
                    found += Measured(1, entry.stat(follow_symlinks=False).st_size)
    except FileNotFoundError:
        return Measured()
    return found
