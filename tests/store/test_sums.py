from __future__ import annotations

import os
from pathlib import Path

import pytest

from store import sums, whole_files
from store.errors import Damaged


def test_a_file_that_is_what_was_written_passes(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert sums.write_whole(path, [b"one ", b"two"]) == 7
    sums.check(path)
    assert sums.allowed(path) == [sums.sha256_of(path)]


def test_a_file_that_is_not_is_named(tmp_path: Path) -> None:
    path = tmp_path / "file"
    sums.write_whole(path, b"content")
    path.write_bytes(b"Content")
    with pytest.raises(Damaged, match=f"{path} does not match its checksum"):
        sums.check(path)


@pytest.mark.parametrize("text", ["", "0" * 63, "0" * 64 + "\n" + "x" * 64 + "\n", "é"])
def test_a_sum_that_is_none_is_named_and_not_believed(tmp_path: Path, text: str) -> None:
    path = tmp_path / "file"
    sums.write_whole(path, b"content")
    sums.sum_of(path).write_text(text)
    with pytest.raises(Damaged, match=r"file\.sum is not one"):
        sums.check(path)


def test_a_file_of_an_earlier_version_has_no_sum_and_passes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    sums.check(tmp_path / "file")
    with pytest.raises(FileNotFoundError):
        sums.check(tmp_path / "missing")


def test_whenever_a_replacement_stops_what_is_in_place_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    (tmp_path / "file").write_bytes(b"of an earlier version")
    real = os.fsync
    for last in range(1, 9):
        left = last

        def stopping(handle: int) -> None:
            nonlocal left
            left -= 1
            if not left:
                raise InterruptedError("the power went")
            real(handle)

        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", stopping)
            try:
                sums.write_whole(path, f"content {last}".encode())
            except InterruptedError:
                done = False
            else:
                done = True
        sums.check(path)
    assert done
    assert path.read_bytes() == b"content 8"


def test_removing_a_file_removes_its_sum(tmp_path: Path) -> None:
    path = tmp_path / "file"
    sums.write_whole(path, b"content")
    assert sums.remove(path)
    assert list(tmp_path.iterdir()) == []
    assert not sums.remove(path)
    whole_files.write_whole(path, b"another, without one")
    sums.check(path)
