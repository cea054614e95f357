"""What reaches the disk, and in what order: the calls of `os` that write, watched or made to fail.

A rename of what has not been synced, and a name whose folder has not been, are what a power cut
takes back.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from store.files import DEBRIS


@dataclass
class Watched:
    """`synced`: inode -> size and time of its last change when it was; `loose`: folders that hold
    names which a power cut would take back; `early`: names that came before their content."""

    synced: dict[int, tuple[int, int]] = field(default_factory=dict)
    loose: set[str] = field(default_factory=set)
    early: list[str] = field(default_factory=list)
    renamed: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def lost(self) -> list[str]:
        """What a power cut now would take."""
        gone = [f"the names in {folder}" for folder in sorted(self.loose) if Path(folder).is_dir()]
        return [*self.early, *gone]


def watch(monkeypatch: pytest.MonkeyPatch) -> Watched:
    """Watch from now on. Nothing is really synced, which would only take time."""
    seen = Watched()

    def fsync(handle: int) -> None:
        about = os.fstat(handle)
        with seen.lock:
            seen.synced[about.st_ino] = (about.st_size, about.st_mtime_ns)
            seen.loose.discard(os.path.realpath(f"/proc/self/fd/{handle}"))

    def named(real: Callable[..., None]) -> Callable[..., None]:
        def call(source: Any, target: Any) -> None:
            lasting = not Path(target).name.startswith(DEBRIS)
            if lasting:
                _expect_synced(seen, Path(source))
            real(source, target)
            if lasting:
                with seen.lock:
                    seen.renamed += 1
                    seen.loose.add(os.path.realpath(Path(target).parent))

        return call

    make = os.mkdir

    def mkdir(path: Any, *arguments: Any, **options: Any) -> None:
        make(path, *arguments, **options)
        # One in what is not finished is found by whoever gives that its name.
        if not any(part.startswith(DEBRIS) for part in Path(path).parts):
            with seen.lock:
                seen.loose.add(os.path.realpath(Path(path).parent))

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "mkdir", mkdir)
    for name in ("rename", "replace"):
        monkeypatch.setattr(os, name, named(getattr(os, name)))
    return seen


class Fault:
    """Lets the `at`-th call that writes fail (from 1), as `what` says; later ones succeed."""

    CALLS = ("open", "write", "fsync", "rename", "replace", "mkdir", "unlink", "rmdir")

    def __init__(self, at: int, what: int | None) -> None:
        """`what` is an errno; None has the call of `write` take one byte only."""
        self.hit: str | None = None
        self._left = at
        self._what = what
        self._lock = threading.Lock()

    def arm(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in self.CALLS if self._what is not None else ("write",):
            monkeypatch.setattr(os, name, self._failing(name, getattr(os, name)))

    def _failing(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if name == "open" and not arguments[1] & os.O_CREAT:
                return real(*arguments, **options)
            with self._lock:
                self._left -= 1
                now = self._left == 0
            if not now:
                # Syncing for real would only take time.
                return None if name == "fsync" else real(*arguments, **options)
            self.hit = name
            if self._what is None:
                return real(arguments[0], bytes(arguments[1])[:1])
            raise OSError(self._what, os.strerror(self._what), "a file")

        return call


def _expect_synced(seen: Watched, path: Path) -> None:
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    for each in files:
        about = each.stat()
        if seen.synced.get(about.st_ino) != (about.st_size, about.st_mtime_ns):
            seen.early.append(f"{each} got its name before its content was on disk")
