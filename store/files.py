"""Writing whole files or nothing: a temporary name, fsync, rename, fsync of the folder.

Whatever moment the process dies at, a reader finds the old file, the new file, or no file; what
was half-written keeps a name that starts with `.tmp-`, which no reader looks at and `sweep`
removes.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from store import private
from store.errors import BadInput, DiskFailed, NoSpace

DEBRIS = ".tmp-"
"""How the names of unfinished files and folders begin."""

GRACE_S = 3600.0
"""How long what nothing refers to is left alone: somebody may be about to refer to it."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_FULL = (errno.ENOSPC, errno.EDQUOT)
_FAILED = (errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG, errno.ENXIO)
Chunk = bytes | bytearray | memoryview


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn "no space" into NoSpace naming `path`, and what else a disk can do into DiskFailed;
    other OSErrors pass."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise NoSpace(f"No space left to write {path}.") from error
        if error.errno in _FAILED:
            raise DiskFailed(f"{path} cannot be written: {error.strerror}.") from error
        raise


def check_name(kind: str, name: str) -> str:
    """`name` if it may be a file's name; else BadInput. Keeps `..` and `/` out of paths."""
    if _NAME.fullmatch(name) is None:
        raise BadInput(
            f"{name!r} cannot name a {kind}.",
            remedy="Use letters, digits, '.', '_' and '-', and begin with a letter or digit.",
        )
    return name


def temporary(folder: Path) -> Path:
    """A fresh name for something unfinished in `folder`, which stays invisible and is swept."""
    return folder / f"{DEBRIS}{secrets.token_hex(8)}"


def read_array(path: Path) -> NDArray[np.uint8]:
    """The file's bytes in memory of their own, (size,). OSError as open and read give it."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        content = np.empty(os.fstat(handle).st_size, dtype=np.uint8)
        read = 0
        while read < len(content) and (more := os.readv(handle, [content.data[read:]])):
            read += more
        return content[:read]
    finally:
        os.close(handle)


def fsync_file(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with disk_errors(path):
            os.fsync(handle)
    finally:
        os.close(handle)


def begin_writeback(handle: int) -> None:
    """Have the kernel begin to write what an open file has in memory, without waiting for it.

    Files whose writing has begun share one commit of the journal when they are fsynced; otherwise
    each fsync makes its own file's blocks known, and waits for a commit of its own.
    """
    if hasattr(os, "posix_fadvise"):
        # Pages that are not on disk yet stay; the advice only makes them go there.
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)


def fsync_folder(folder: Path) -> None:
    """Make the names in `folder` last: what was renamed into it or removed from it."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with disk_errors(folder):
            os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(folder: Path) -> None:
    """Make `folder` and its parents, readable by the owner alone, and make their names last.

    Whatever the umask. BadInput if `folder` is a link: what is stored must not end up elsewhere.
    """
    private.check_no_link(folder)
    missing = []
    step = folder
    while not step.is_dir():
        missing.append(step)
        step = step.parent
    for path in reversed(missing):
        with disk_errors(path):
            private.new_folder(path)
            fsync_folder(path.parent)


def write_fully(handle: int, content: Chunk) -> None:
    """Write all of `content` to the open file `handle`; the kernel may take it in parts."""
    rest = memoryview(content).cast("B")
    while rest:
        rest = rest[os.write(handle, rest) :]


def publish_folder(unfinished: Path, final: Path) -> None:
    """Give a folder, whose files are fsynced, its visible name. FileExistsError if it is taken."""
    with disk_errors(final):
        fsync_folder(unfinished)
        try:
            unfinished.rename(final)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                raise FileExistsError(errno.EEXIST, "exists already", str(final)) from error
            raise
        fsync_folder(final.parent)


def remove_folder(folder: Path) -> None:
    """Remove `folder` so that nobody sees half of it: first its name, then what is in it."""
    doomed = temporary(folder.parent)
    with disk_errors(folder):
        folder.rename(doomed)
    try:
        fsync_folder(folder.parent)
    finally:
        # What cannot be removed now is invisible, and is swept when the engine starts.
        with disk_errors(folder):
            shutil.rmtree(doomed)


def remove_file(path: Path) -> bool:
    """Remove `path` for good; False if it was not there."""
    try:
        with disk_errors(path):
            path.unlink()
    except FileNotFoundError:
        return False
    fsync_folder(path.parent)
    return True


def discard(path: Path) -> None:
    """Remove a file that was not finished, if it is there, as far as the disk lets us: what stays
    is invisible, and is swept when the engine starts."""
    with suppress(OSError):
        path.unlink()


def sweep(folder: Path) -> int:
    """Remove the unfinished things in `folder` (not below it); how many there were.

    Only for when nobody writes there: an unfinished file may be one in the making.
    """
    if not folder.is_dir():
        return 0
    debris = [entry for entry in folder.iterdir() if entry.name.startswith(DEBRIS)]
    for entry in debris:
        with disk_errors(entry):
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
    return len(debris)
