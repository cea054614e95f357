"""Adapter parameters on disk: safetensors files named by the sha256 of their bytes."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from store import files, private
from store.errors import BadInput, Damaged, NotFound
from store.files import GRACE_S
from store.leases import Leases
from store.measured import Measured
from store.sums import sha256_of
from store.tensors import Tensors, pack, unpack

Content = bytes
"""`BlobStore.bytes` hides the builtin inside the class."""

_ID = re.compile(r"[0-9a-f]{64}")
_SUFFIX = ".safetensors"
_MEND = (
    "Restore the file from a backup, or remove the vPLMs that use it (hmi vplm rm) and create "
    "them again (hmi vplm create)."
)
_WRITERS = 4
"""Threads that fsync: those that wait together share the journal's commit."""
_TOGETHER = 64
"""Blobs that are fsynced together; the next are made and written meanwhile."""


@dataclass(frozen=True, slots=True)
class BlobInfo:
    """`id` is the file's sha256 in hex, `bytes` its size."""

    id: str
    bytes: int


@dataclass(frozen=True, slots=True)
class _Written:
    """A blob that is on disk under an unfinished name, or (None) was there already."""

    info: BlobInfo
    unfinished: Path | None


def path_of(root: Path, blob: str) -> Path:
    """Where blob `blob` is below `root`, or would be. BadInput if it cannot be one's id."""
    if _ID.fullmatch(blob) is None:
        raise BadInput(f"{blob!r} is not an adapter id.", remedy="An id is 64 hexadecimal digits.")
    return root / blob[:2] / f"{blob}{_SUFFIX}"


class BlobStore:
    """Blobs below `root`, in 256 folders by the first two digits of their id.

    Safe to use from several threads. A blob appears whole or not at all. Nothing here knows who
    uses a blob: the catalogue does, and `sweep` is told.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._leases = Leases()
        files.make_folder(root)

    def keeping(self) -> AbstractContextManager[None]:
        """Until the block ends nobody removes what this thread stores in it, nor what it found in
        place. Whoever enters in the catalogue what it stores does both inside."""
        return self._leases.keeping()

    def put(
        self, tensors: Mapping[str, NDArray[np.generic]], metadata: Mapping[str, str]
    ) -> BlobInfo:
        """Store tensors (float16, float32 or int64); the same content is stored once."""
        return self.put_many([(tensors, metadata)])[0]

    def put_many(
        self,
        blobs: Iterable[tuple[Mapping[str, NDArray[np.generic]], Mapping[str, str]]],
    ) -> list[BlobInfo]:
        """Store many, in order; on return all of them last. On an error none of them is there.

        `blobs` is consumed as it is written: a generator never has more than a few in memory.
        """
        written: list[_Written] = []
        try:
            # Its threads start when they are needed, and have ended before the names are removed.
            with ThreadPoolExecutor(_WRITERS, thread_name_prefix="blob-writer") as pool:
                self._write_all(blobs, written, pool)
                return self._publish(written, pool)
        finally:
            for entry in written:
                if entry.unfinished is not None:
                    files.discard(entry.unfinished)

    def get(self, blob: str, *, verify: bool = True) -> tuple[Tensors, dict[str, str]]:
        """Tensors (views of one buffer) and metadata. NotFound; Damaged naming the file if it is
        not what it was."""
        path = self.path(blob)
        try:
            data = files.read_array(path)
        except FileNotFoundError:
            raise _missing(blob) from None
        if verify and hashlib.sha256(data.data).hexdigest() != blob:
            raise _changed(path)
        try:
            return unpack(data)
        except ValueError as error:
            raise Damaged(
                f"The adapter file {path} cannot be read: {error}.", remedy=_MEND
            ) from error

    def path(self, blob: str) -> Path:
        """Where blob `blob` is, or would be."""
        return path_of(self._root, blob)

    def verified(self, blob: str) -> Path:
        """Its path, once the file is known to be what its name says. NotFound; Damaged."""
        path = self.path(blob)
        try:
            if sha256_of(path) != blob:
                raise _changed(path)
        except FileNotFoundError:
            raise _missing(blob) from None
        return path

    def exists(self, blob: str) -> bool:
        return self.path(blob).is_file()

    def bytes(self, blob: str) -> int:
        """Size of its file. NotFound."""
        try:
            return self.path(blob).stat().st_size
        except FileNotFoundError:
            raise _missing(blob) from None

    def delete(self, blob: str, known: Callable[[str], bool] = lambda _: False) -> None:
        """Remove it, unless another thread is storing the same just now, or has stored and entered
        it since the caller let go of it, which `known` tells: then it is theirs. NotFound."""
        path = self.path(blob)
        with self._leases.removing(blob) as free:
            if free and not known(blob) and not files.remove_file(path):
                raise _missing(blob)

    def ids(self) -> Iterator[str]:
        """Every blob's id, in order."""
        for folder in sorted(self._folders()):
            names = sorted(path.name.removesuffix(_SUFFIX) for path in folder.glob(f"*{_SUFFIX}"))
            yield from (name for name in names if _ID.fullmatch(name))

    def sizes(self) -> Iterator[tuple[str, int]]:
        """Every blob's id and bytes, in no order; those that go meanwhile are left out."""
        for folder in self._folders():
            with os.scandir(folder) as entries:
                for entry in entries:
                    name = entry.name.removesuffix(_SUFFIX)
                    with suppress(FileNotFoundError):
                        if _ID.fullmatch(name):
                            yield name, entry.stat(follow_symlinks=False).st_size

    def collect(self, known: Callable[[], set[str]], grace: float = GRACE_S) -> Measured:
        """Remove blobs that are not among `known` and older than `grace` seconds; what went.

        Safe while others store: see `keeping`. Those who store outside it, and other processes,
        have `grace` to enter what they stored.
        """
        found, gone = [blob for blob, _ in self.sizes()], Measured()
        with self._leases.collecting(known) as is_garbage:
            for blob in found:
                path = self.path(blob)
                with (
                    self._leases.removing(blob),
                    suppress(FileNotFoundError),
                    files.disk_errors(path),
                ):
                    about = path.stat()
                    if is_garbage(blob) and about.st_mtime <= time.time() - grace:
                        path.unlink()
                        gone += Measured(1, about.st_size)
        return gone

    def sweep(self, known: set[str]) -> int:
        """Remove unfinished files and blobs that are not in `known`; how many went.

        A blob is stored before it is catalogued, so this is for start-up, before anyone stores.
        """
        swept = sum(files.sweep(folder) for folder in self._folders())
        unknown = [blob for blob in self.ids() if blob not in known]
        for blob in unknown:
            with files.disk_errors(self.path(blob)):
                self.path(blob).unlink()
        return swept + len(unknown)

    def _folders(self) -> list[Path]:
        return [path for path in self._root.iterdir() if path.is_dir()]

    def _write_all(
        self,
        blobs: Iterable[tuple[Mapping[str, NDArray[np.generic]], Mapping[str, str]]],
        written: list[_Written],
        pool: ThreadPoolExecutor,
    ) -> None:
        """Put every blob's bytes on disk, appending to `written` also when one of them fails."""
        fresh: list[Path] = []
        settling: list[Future[None]] = []
        for tensors, metadata in blobs:
            entry = self._write(pack(tensors, metadata))
            written.append(entry)
            if entry.unfinished is not None:
                fresh.append(entry.unfinished)
            if len(fresh) == _TOGETHER:
                _await(settling)
                settling = [pool.submit(files.fsync_file, path) for path in fresh]
                fresh = []
        _await(settling)
        _await([pool.submit(files.fsync_file, path) for path in fresh])

    def _write(self, data: Content) -> _Written:
        """Hand the bytes to the kernel, which is told to begin with them; no fsync yet."""
        info = BlobInfo(hashlib.sha256(data).hexdigest(), len(data))
        final = self.path(info.id)
        with self._leases.taking(info.id):
            if _holds(final, data):
                os.utime(final)
                return _Written(info, None)
        unfinished = files.temporary(final.parent)
        private.check_no_link(final.parent)
        with files.disk_errors(final):
            # Its name is made to last with the blob's.
            private.new_folder(final.parent)
            try:
                with os.fdopen(private.new_file(unfinished), "wb", buffering=0) as file:
                    files.write_fully(file.fileno(), data)
                    files.begin_writeback(file.fileno())
            except BaseException:
                files.discard(unfinished)
                raise
        return _Written(info, unfinished)

    def _publish(self, written: list[_Written], pool: ThreadPoolExecutor) -> list[BlobInfo]:
        for entry in written:
            if entry.unfinished is not None:
                final = self.path(entry.info.id)
                with files.disk_errors(final):
                    entry.unfinished.replace(final)
        # Also for blobs found in place: whoever renamed them may not have got this far.
        folders = {self.path(entry.info.id).parent for entry in written}
        _await([pool.submit(files.fsync_folder, folder) for folder in (self._root, *folders)])
        return [entry.info for entry in written]


def _await(tasks: Iterable[Future[None]]) -> None:
    """Raise the first of their errors."""
    for task in tasks:
        task.result()


def _holds(path: Path, data: bytes) -> bool:
    """Whether `path` has exactly `data`; a damaged file has not, and is written again."""
    try:
        return path.stat().st_size == len(data) and path.read_bytes() == data
    except FileNotFoundError:
        return False


def _changed(path: Path) -> Damaged:
    return Damaged(f"The file {path} does not match its checksum.", remedy=_MEND)


def _missing(blob: str) -> NotFound:
    return NotFound(f'There is no adapter "{blob}".', remedy="hmi adapter ls lists them.")
