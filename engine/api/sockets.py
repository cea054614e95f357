"""The socket and who owns it: one engine a socket, one engine a home."""

from __future__ import annotations

import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from engine.api.connections import PEER
from engine.config import Paths, check_socket_path
from engine.errors import BadInput, Refused, SocketBusy

BACKLOG = 2048


@contextmanager
def owned(paths: Paths) -> Iterator[None]:
    """Hold the socket's lock and the home's; raises SocketBusy with the holder's pid."""
    check_socket_path(paths.socket)
    _private_folder(paths.socket.parent)
    _private_folder(paths.data)
    with (
        _locked(paths.lock, f"the socket {paths.socket}", "another --socket"),
        _locked(paths.data / "engine.lock", f"the data in {paths.data}", "another --home"),
    ):
        yield


def disown(paths: Paths) -> None:
    """For an end in order that is cut short: what is left says that the engine was stopped, as
    `owned` and `bound` do. One that died leaves its pid in the lock's file."""
    paths.socket.unlink(missing_ok=True)
    os.truncate(paths.lock, 0)


@contextmanager
def bound(path: Path) -> Iterator[socket.socket]:
    """A socket bound to `path` with mode 0600; the file goes at the end.

    A file that a dead engine left is replaced. The caller holds the lock.
    """
    _remove_stale(path)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    old_mask = os.umask(0o177)
    try:
        server.bind(str(path))
    finally:
        os.umask(old_mask)
    # Whoever comes before the server accepts waits for it, instead of being sent away.
    server.listen(BACKLOG)
    inode = path.stat().st_ino
    try:
        yield server
    finally:
        server.close()
        # Somebody may have put another file there by hand meanwhile.
        with suppress(FileNotFoundError):
            if path.lstat().st_ino == inode:
                path.unlink()


def _private_folder(folder: Path) -> None:
    """Make `folder` with mode 0700, or check that nobody else can replace what is in it."""
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    owner = folder.stat().st_uid
    if owner not in (os.getuid(), 0):
        raise Refused(
            f"{folder} belongs to another user (uid {owner}).",
            remedy="Choose another place with --socket or --home.",
            code="folder_not_yours",
        )


@contextmanager
def _locked(path: Path, what: str, instead: str) -> Iterator[None]:
    # The lock is the flock, not the file, which stays: removing it would let two hold it.
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(handle, 32, 0).decode(errors="replace").strip()
            raise _busy(what, holder, instead) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
        os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def _busy(what: str, holder: str, instead: str) -> SocketBusy:
    who = f"An engine (pid {holder})" if holder else "Another engine"
    stop = f"Stop it with hmi stop or kill {holder}" if holder else "Stop it with hmi stop"
    return SocketBusy(f"{who} holds {what}.", remedy=f"{stop}, or choose {instead}.")


def _remove_stale(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise BadInput(
            f"{path} exists and is not a socket.",
            remedy="Remove it, or choose another place with --socket.",
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            path.unlink()
            return
        # Its lock file must have been removed by hand, or it is no engine at all.
        packed = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER.size)
        raise _busy(f"the socket {path}", str(PEER.unpack(packed)[0]), "another --socket")
