from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from store import files, whole_files
from store.errors import NoSpace
from store.whole_files import Incoming


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_whole_for_the_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file"
    assert whole_files.write_whole(path, [b"one ", b"", b"two"]) == 7
    assert path.read_bytes() == b"one two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_writing_again_replaces_the_content(tmp_path: Path) -> None:
    whole_files.write_whole(tmp_path / "file", b"old and long")
    whole_files.write_whole(tmp_path / "file", bytearray(b"new"))
    assert (tmp_path / "file").read_bytes() == b"new"
    assert names(tmp_path) == ["file"]


def test_a_source_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"half"
        raise RuntimeError("the sender went away")

    whole_files.write_whole(tmp_path / "file", b"old")
    with pytest.raises(RuntimeError, match="went away"):
        whole_files.write_whole(tmp_path / "file", chunks())
    assert (tmp_path / "file").read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_incoming_counts_and_hashes_what_it_takes(tmp_path: Path) -> None:
    with Incoming(tmp_path) as incoming:
        incoming.write(b"abc")
        incoming.write(memoryview(b"def"))
        assert (incoming.bytes, incoming.sha256) == (6, hashlib.sha256(b"abcdef").hexdigest())
        assert all(name.startswith(files.DEBRIS) for name in names(tmp_path))
        assert incoming.commit("file") == tmp_path / "file"
    assert names(tmp_path) == ["file"]


def test_incoming_without_commit_vanishes(tmp_path: Path) -> None:
    with Incoming(tmp_path) as incoming:
        incoming.write(b"abc")
    assert names(tmp_path) == []


def test_incoming_refuses_more_after_its_commit(tmp_path: Path) -> None:
    with Incoming(tmp_path) as incoming:
        incoming.commit("file")
        with pytest.raises(ValueError, match="not open"):
            incoming.write(b"late")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_full_disk_is_no_space_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    def full(*arguments: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, call, full)
    with pytest.raises(NoSpace, match=str(tmp_path)) as caught:
        whole_files.write_whole(tmp_path / "file", b"abc")
    assert caught.value.code == "no_space"
    assert "Free some space" in caught.value.remedy
    assert names(tmp_path) == []


def test_other_errors_of_the_disk_are_not_called_no_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object) -> int:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="broken"):
        whole_files.write_whole(tmp_path / "file", b"abc")
