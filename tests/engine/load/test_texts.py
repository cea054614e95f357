from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from engine.errors import BadInput, NotFound
from engine.load.texts import demo_texts, read_texts


def test_lines_are_read_plain_or_packed_without_the_blank_ones(tmp_path: Path) -> None:
    plain, packed = tmp_path / "a.txt", tmp_path / "a.txt.gz"
    plain.write_text("one\n\n  two \n")
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert read_texts(plain) == read_texts(packed) == ["one", "two"]


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xff\xfe\x00"])
def test_a_file_without_text_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(BadInput, match=r"a\.txt"):
        read_texts(tmp_path / "a.txt")


def test_a_cut_off_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"text\n" * 1000)[:20])
    with pytest.raises(BadInput, match=r"a\.gz"):
        read_texts(tmp_path / "a.gz")


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        read_texts(tmp_path / "nowhere.txt")


def test_the_demo_texts_are_there() -> None:
    assert len(demo_texts()) > 1000
