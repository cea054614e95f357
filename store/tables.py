"""Precomputed tables on disk: one folder for each domain node and epoch, never changed again.

    <root>/<domain>/<epoch, six digits>/
        keys.npy       int64, ascending, one for each entry
        rows.npy       any dtype, shape (entries, *row_shape)
        NAME.npy       further arrays
        manifest.json  what the files hold, their sizes and checksums

The folder gets its name when everything in it is on disk, so a table that can be seen is whole.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike, NDArray

from store import files
from store.errors import Damaged, NotFound
from store.measured import Measured, measure
from store.table_manifest import MANIFEST, TableManifest, file_of, read_manifest
from store.table_writer import TableWriter

__all__ = ["StoredTable", "TableFiles", "TableManifest", "TableWriter"]


@dataclass(frozen=True, slots=True)
class StoredTable:
    """An open table.

    `keys`: int64 (entries,), in memory. `rows`: (entries, *row_shape), mapped from the file,
    read-only; it stays readable when the table is removed. `arrays`: the further ones, mapped.
    """

    keys: NDArray[np.int64]
    rows: np.memmap[tuple[int, ...], np.dtype[np.generic]]
    arrays: Mapping[str, NDArray[np.generic]]
    manifest: TableManifest


class TableFiles:
    """The tables below `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        files.make_folder(root)

    def folder(self, domain: str, epoch: int) -> Path:
        """Where that table is, or would be."""
        if epoch < 0:
            raise ValueError(f"epoch {epoch} of {domain!r} is negative")
        return self._root / files.check_name("domain", domain) / f"{epoch:06d}"

    def writer(
        self, domain: str, epoch: int, row_shape: tuple[int, ...], dtype: DTypeLike
    ) -> TableWriter:
        """A context manager that writes a new table; Exists if there is one already."""
        return TableWriter(self.folder(domain, epoch), domain, epoch, row_shape, np.dtype(dtype))

    def open(self, domain: str, epoch: int, verify: bool = False) -> StoredTable:
        """The table, with its files' sizes checked, and with `verify` their checksums too.

        NotFound; Damaged naming the file.
        """
        folder = self._existing(domain, epoch)
        manifest = read_manifest(folder)
        for name in manifest.files:
            manifest.check_file(folder, name, verify=verify)
        arrays = {name: _mapped(file_of(folder, name)) for name in manifest.arrays}
        keys = np.array(arrays.pop("keys"))
        rows = arrays.pop("rows")
        _check_shapes(folder, manifest, keys, rows)
        return StoredTable(keys, rows, arrays, manifest)

    def verify(self, domain: str, epoch: int) -> None:
        """Compare every file of a table with its checksum. NotFound; Damaged naming the file."""
        folder = self._existing(domain, epoch)
        manifest = read_manifest(folder)
        for name in manifest.files:
            manifest.check_file(folder, name, verify=True)

    def epochs(self, domain: str) -> list[int]:
        """Epochs of a domain that have a table, oldest first."""
        folder = self._root / files.check_name("domain", domain)
        if not folder.is_dir():
            return []
        return sorted(int(path.name) for path in folder.iterdir() if _is_table(path))

    def measure(self, keep: set[tuple[str, int]]) -> tuple[Measured, Measured]:
        """Tables that are in `keep`, and those that are not."""
        kept = stray = Measured()
        for folder in self._root.glob("*/*"):
            if _is_table(folder):
                found = measure(folder)
                if (folder.parent.name, int(folder.name)) in keep:
                    kept += found
                else:
                    stray += found
        return kept, stray

    def remove(self, domain: str, epoch: int | None = None) -> None:
        """Remove one epoch, or all and the domain's folder. Nothing happens if it is not there."""
        if epoch is None:
            folder = self._root / files.check_name("domain", domain)
        else:
            folder = self.folder(domain, epoch)
        if folder.is_dir():
            files.remove_folder(folder)

    def collect(
        self, keep: Callable[[], set[tuple[str, int]]], grace: float = files.GRACE_S
    ) -> Measured:
        """Remove tables that are not in `keep` and older than `grace` seconds; what went.

        Whoever writes one makes it its domain's at once, so an old one that is nobody's stays so.
        """
        found, gone = list(self._root.glob("*/*")), Measured()
        kept = keep()
        for folder in found:
            with suppress(FileNotFoundError):
                if not _is_table(folder) or (folder.parent.name, int(folder.name)) in kept:
                    continue
                if folder.stat().st_mtime <= time.time() - grace:
                    measured = measure(folder)
                    files.remove_folder(folder)
                    gone += measured
        return gone

    def sweep(self, keep: set[tuple[str, int]]) -> int:
        """Remove unfinished tables and those that are not in `keep`; how many went.

        For start-up, before anyone writes a table.
        """
        swept = files.sweep(self._root)
        for folder in [path for path in self._root.iterdir() if path.is_dir()]:
            swept += files.sweep(folder)
            for epoch in self.epochs(folder.name):
                if (folder.name, epoch) not in keep:
                    files.remove_folder(folder / f"{epoch:06d}")
                    swept += 1
            if not any(folder.iterdir()):
                with files.disk_errors(folder):
                    folder.rmdir()
        return swept

    def _existing(self, domain: str, epoch: int) -> Path:
        folder = self.folder(domain, epoch)
        if not folder.is_dir():
            raise NotFound(
                f'Domain "{domain}" has no table of epoch {epoch}.',
                remedy=f"Build one with hmi domain rebuild {domain}.",
            )
        return folder


def _is_table(path: Path) -> bool:
    return path.name.isdecimal() and (path / MANIFEST).is_file()


def _mapped(path: Path) -> np.memmap[tuple[int, ...], np.dtype[np.generic]]:
    try:
        return np.lib.format.open_memmap(path, mode="r")
    except (ValueError, OSError) as error:
        raise Damaged(f"The table file {path} cannot be read: {error}.") from error


def _check_shapes(
    folder: Path,
    manifest: TableManifest,
    keys: NDArray[np.generic],
    rows: NDArray[np.generic],
) -> None:
    expected = (manifest.entries, *manifest.row_shape)
    if keys.dtype != np.int64 or keys.shape != (manifest.entries,):
        raise Damaged(f"The table file {file_of(folder, 'keys')} does not match its manifest.")
    if rows.dtype != np.dtype(manifest.dtype) or rows.shape != expected:
        raise Damaged(f"The table file {file_of(folder, 'rows')} does not match its manifest.")
