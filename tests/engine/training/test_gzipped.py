from __future__ import annotations

import gzip

import pytest

from engine.errors import BadInput, TooLarge
from engine.training.gzipped import plain

TEXT = b"".join(b"line %d of a text\n" % i for i in range(5_000))


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 7, 4096, 1 << 20])
def test_a_gzip_file_is_unpacked_however_it_arrives(size: int) -> None:
    assert b"".join(plain(cut(gzip.compress(TEXT), size), 1 << 20)) == TEXT


def test_gzip_files_one_after_the_other_are_one() -> None:
    data = gzip.compress(TEXT[:1000]) + gzip.compress(TEXT[1000:])
    assert b"".join(plain(cut(data, 100), 1 << 20)) == TEXT


@pytest.mark.parametrize("body", [b"", b"\x1f", b"a", TEXT])
def test_what_is_not_compressed_passes_unchanged(body: bytes) -> None:
    assert b"".join(plain(cut(body, 3), 1 << 20)) == body


def test_a_damaged_or_cut_off_file_is_refused() -> None:
    packed = gzip.compress(TEXT)
    with pytest.raises(BadInput, match="cut off"):
        list(plain([packed[:-9]], 1 << 20))
    with pytest.raises(BadInput, match="not a whole gzip file") as refused:
        list(plain([packed[:40] + b"nonsense" + packed[48:]], 1 << 20))
    assert refused.value.code == "bad_gzip"


def test_a_small_body_does_not_grow_beyond_the_limit() -> None:
    bomb = gzip.compress(b"0" * (64 << 20))
    sizes: list[int] = []
    pieces = map(len, plain([bomb], 1 << 20))
    with pytest.raises(TooLarge, match="Unpacked"):
        sizes.extend(pieces)
    assert max(sizes) <= 256 << 10
    assert sum(sizes) <= 1 << 20
