"""Writing one table: rows stream to disk as they are computed, the manifest seals them."""

from __future__ import annotations

import io
import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from store import files, private, sums, whole_files
from store.errors import Exists
from store.table_manifest import MANIFEST, TableManifest, file_of, record_of


class TableWriter:
    """Receives a table's entries in ascending order of key; `commit` makes it visible and lasting.

    Leaving the context without `commit` leaves nothing behind. Put what should be remembered with
    the table into `meta` (JSON values) before `commit`.
    """

    def __init__(
        self,
        final: Path,
        domain: str,
        epoch: int,
        row_shape: tuple[int, ...],
        dtype: np.dtype[Any],
    ) -> None:
        if dtype.hasobject:
            raise ValueError(f"rows of dtype {dtype} cannot be stored")
        self.meta: dict[str, Any] = {}
        self.entries = 0
        self._final = final
        self._domain = domain
        self._epoch = epoch
        self._folder = files.temporary(final.parent)
        self._keys = _GrowingArray(file_of(self._folder, "keys"), np.dtype(np.int64), ())
        self._rows = _GrowingArray(file_of(self._folder, "rows"), dtype, row_shape)
        self._arrays: list[str] = []
        self._last_key: int | None = None

    def __enter__(self) -> Self:
        if self._final.exists():
            raise self._taken()
        files.make_folder(self._final.parent)
        with files.disk_errors(self._folder):
            private.new_folder(self._folder)
            try:
                self._keys.open()
                self._rows.open()
            except BaseException:
                self._discard()
                raise
        return self

    def append(self, keys: ArrayLike, rows: ArrayLike) -> None:
        """Add entries: `keys` int64 (n,), `rows` (n, *row_shape) of the table's dtype.

        Floats are rounded to the table's dtype. ValueError unless keys ascend, within the call
        and from call to call; TypeError for keys or rows of another kind.
        """
        keys = np.asarray(keys).astype(np.int64, casting="safe", copy=False)
        rows = np.asarray(rows).astype(self._rows.dtype, casting="same_kind", copy=False)
        if keys.ndim != 1 or rows.shape != (len(keys), *self._rows.shape):
            raise ValueError(
                f"keys {keys.shape} and rows {rows.shape} do not fit entries of {self._rows.shape}"
            )
        if not len(keys):
            return
        if (keys[1:] <= keys[:-1]).any() or (
            self._last_key is not None and int(keys[0]) <= self._last_key
        ):
            raise ValueError(f"keys must ascend (chunk after {self.entries} entries does not)")
        with files.disk_errors(self._folder):
            self._keys.append(keys)
            self._rows.append(rows)
        self._last_key = int(keys[-1])
        self.entries += len(keys)

    def set(self, name: str, array: ArrayLike) -> None:
        """Store a further array under `name`, whole."""
        files.check_name("table array", name)
        if name in ("keys", "rows", *self._arrays):
            raise ValueError(f"the table has an array {name!r} already")
        # Through Incoming, because numpy's own writing to a file hides why it failed.
        with whole_files.Incoming(self._folder) as incoming:
            np.save(incoming, np.asarray(array), allow_pickle=False)
            incoming.commit(file_of(self._folder, name).name)
        self._arrays.append(name)

    def commit(self) -> TableManifest:
        """Make everything last, then visible. Exists if another writer was faster."""
        with files.disk_errors(self._folder):
            self._keys.close()
            self._rows.close()
            paths = [file_of(self._folder, name) for name in ("keys", "rows", *self._arrays)]
            for path in paths:
                files.fsync_file(path)
            manifest = TableManifest(
                domain=self._domain,
                epoch=self._epoch,
                entries=self.entries,
                dtype=self._rows.dtype.str,
                row_shape=self._rows.shape,
                files={path.name: record_of(path) for path in paths},
                meta=self.meta,
            )
            sums.write_whole(self._folder / MANIFEST, manifest.to_json().encode())
            try:
                files.publish_folder(self._folder, self._final)
            except FileExistsError:
                raise self._taken() from None
        return manifest

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._discard()

    def _discard(self) -> None:
        self._keys.abandon()
        self._rows.abandon()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _taken(self) -> Exists:
        return Exists(
            f'Domain "{self._domain}" has a table of epoch {self._epoch} already.',
            remedy="Write the next epoch; a table is never changed.",
        )


class _GrowingArray:
    """A .npy file whose first dimension is known only at the end."""

    def __init__(self, path: Path, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
        self.dtype = dtype
        self.shape = shape
        self._path = path
        self._length = 0
        self._file: BinaryIO | None = None

    def open(self) -> None:
        self._file = os.fdopen(private.new_file(self._path), "wb")
        self._file.write(self._header())

    def append(self, values: NDArray[np.generic]) -> None:
        self._opened().write(np.ascontiguousarray(values).reshape(-1).view(np.uint8).data)
        self._length += len(values)

    def close(self) -> None:
        file = self._opened()
        # numpy pads the header for a first dimension of up to 21 digits, so its size is the same.
        file.seek(0)
        file.write(self._header())
        self.abandon()

    def abandon(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            file.close()

    def _header(self) -> bytes:
        buffer = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            buffer,
            {
                "descr": np.lib.format.dtype_to_descr(self.dtype),
                "fortran_order": False,
                "shape": (self._length, *self.shape),
            },
        )
        return buffer.getvalue()

    def _opened(self) -> BinaryIO:
        if self._file is None:
            raise ValueError(f"{self._path} is not open for writing")
        return self._file
