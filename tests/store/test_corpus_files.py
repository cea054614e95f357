from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store import files, sums
from store.corpus_files import CorpusFiles
from store.errors import BadText, Damaged, NotFound
from store.lines import MAX_LINE_BYTES

DOCUMENTS = st.lists(
    st.text(st.characters(exclude_characters="\0\n\r", exclude_categories=["Cs"])), max_size=12
)


@pytest.fixture
def corpora(tmp_path: Path) -> CorpusFiles:
    return CorpusFiles(tmp_path / "corpora")


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@settings(deadline=None, max_examples=60)
@given(documents=DOCUMENTS, size=st.integers(1, 40), end=st.sampled_from(["\n", "\r\n"]))
def test_a_corpus_reads_as_it_was_written_however_it_was_cut(
    tmp_path_factory: pytest.TempPathFactory, documents: list[str], size: int, end: str
) -> None:
    data = end.join(documents).encode()
    expected = [line for line in data.decode().removeprefix("\ufeff").split(end) if line.strip()]
    corpora = CorpusFiles(tmp_path_factory.mktemp("corpora"))
    if not expected:
        with pytest.raises(BadText, match="has no text"):
            corpora.put("reviews", cut(data, size))
        return
    info = corpora.put("reviews", cut(data, size))
    assert (info.bytes, info.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert info.lines == len(expected)
    assert list(corpora.lines("reviews")) == expected


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "has no text"),
        (b"\n \n\t\n", "has no text"),
        (b"good\nbad \xff\n", "Line 2 is not UTF-8"),
        (b"good\ngood\ncut \xc3", "Line 3 is not UTF-8"),
        (b"good\n\n\0\n", "Line 3 has a NUL byte"),
        ("utf-16\n".encode("utf-16"), "Line 1"),
        (b"good\n" + b"x" * (MAX_LINE_BYTES + 1), "Line 2 has over 1 MiB"),
        (b"good\ngood\n" + b"x" * (MAX_LINE_BYTES + 1) + b"\ngood", "Line 3 has over 1 MiB"),
    ],
)
@pytest.mark.parametrize("size", [1021, 1 << 30])
def test_what_is_no_text_is_refused_with_its_line_and_the_old_corpus_stays(
    corpora: CorpusFiles, tmp_path: Path, data: bytes, message: str, size: int
) -> None:
    corpora.put("reviews", [b"the old one\n"])
    with pytest.raises(BadText, match=message) as caught:
        corpora.put("reviews", cut(data, size))
    assert caught.value.code == "bad_input"
    assert caught.value.remedy
    assert list(corpora.lines("reviews")) == ["the old one"]
    assert corpora.sweep() == 0


@pytest.mark.parametrize(
    ("data", "line", "place", "looks", "remedy"),
    [
        (gzip.compress(b"a good film\n"), 1, "byte 2 of the line is 0x8B", "gzip", ".gz"),
        (b"good\n" + gzip.compress(b"good\n"), 2, "byte 2 of the line is 0x8B", "gzip", ".gz"),
        (b"good\n" + "text\n".encode("utf-16"), 2, "0xFF", "UTF-16", "-f UTF-16 "),
        (b"%PDF-1.4\n%\xe2\xe3\n", 2, "byte 2 of the line is 0xE2", "a PDF", "the text in it"),
        (b"PK\x03\x04\x14\0\x06\0", 1, "NUL byte (byte 6 of the line)", "a zip", "the text in it"),
        ("one\ncafé\n".encode("latin-1"), 2, "byte 4 of the line is 0xE9", "Latin-1", "iconv"),
        ("“good”\n".encode("cp1252"), 1, "byte 1 of the line is 0x93", "1252", "-f WINDOWS-1252"),
        ("текст\n".encode("koi8-r"), 1, "byte 1 of", "text in another encoding", "iconv"),
        ("text\n".encode("utf-16"), 1, "byte 1 of the line is 0xFF", "UTF-16", "-f UTF-16 "),
        ("text\n".encode("utf-16-le"), 1, "byte 2 of the line", "UTF-16LE", "-f UTF-16LE"),
        ("text\n".encode("utf-16-be"), 1, "byte 1 of the line", "UTF-16BE", "-f UTF-16BE"),
        ("text\n".encode("utf-32"), 1, "byte 1 of the line is 0xFF", "UTF-32", "-f UTF-32"),
        (b"good\nbad\0\xff", 2, "byte 4 of the line", "a binary file", "UTF-8 text"),
        (b"good\nbad\xff\0", 2, "byte 4 of the line is 0xFF", "Latin-1", "iconv"),
        (b"good\ncaf\xc3", 2, "byte 4 of the line is 0xC3", "cut off", "again"),
        (b"good\r" * (1 << 18), 1, "over 1 MiB", "", r"tr '\r' '\n'"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
@pytest.mark.parametrize("size", [3, 1 << 30], ids=["cut", "whole"])
def test_a_refusal_says_which_byte_it_is_and_what_the_file_may_be(
    corpora: CorpusFiles, data: bytes, line: int, place: str, looks: str, remedy: str, size: int
) -> None:
    with pytest.raises(BadText) as caught:
        corpora.put("reviews", cut(data, size if len(data) < 1000 else 1 << 30))
    assert caught.value.line == line
    assert f"Line {line} " in caught.value.detail
    assert place in caught.value.detail
    assert looks in caught.value.detail
    assert remedy in caught.value.remedy


@pytest.mark.parametrize("size", [1, 3, 1 << 30])
def test_windows_line_ends_and_a_byte_order_mark_belong_to_no_document(
    corpora: CorpusFiles, size: int
) -> None:
    data = b"\xef\xbb\xbfone\r\n\r\ntwo\r\n"
    assert corpora.put("reviews", cut(data, size)).lines == 2
    assert list(corpora.lines("reviews")) == ["one", "two"]


def test_a_byte_order_mark_alone_is_no_text(corpora: CorpusFiles) -> None:
    with pytest.raises(BadText, match="has no text"):
        corpora.put("reviews", [b"\xef\xbb", b"\xbf"])


def test_a_line_of_exactly_the_limit_is_taken(corpora: CorpusFiles) -> None:
    assert corpora.put("reviews", [b"x" * MAX_LINE_BYTES, b"\n", b"y"]).lines == 2


def test_an_endless_line_is_refused_before_it_has_all_come(corpora: CorpusFiles) -> None:
    taken = 0

    def endless() -> bytes:
        nonlocal taken
        taken += 1
        return b"x" * 65536

    with pytest.raises(BadText, match="Line 1 has over 1 MiB"):
        corpora.put("reviews", iter(endless, b""))
    assert taken <= MAX_LINE_BYTES // 65536 + 1


def test_a_corpus_can_be_removed_and_asked_for(corpora: CorpusFiles) -> None:
    assert not corpora.exists("reviews")
    corpora.put("reviews", [b"text"])
    assert corpora.exists("reviews")
    corpora.remove("reviews")
    corpora.remove("reviews")
    with pytest.raises(NotFound, match='Domain "reviews" has no corpus'):
        corpora.lines("reviews")


def test_a_corpus_that_rotted_is_damage(corpora: CorpusFiles, tmp_path: Path) -> None:
    corpora.put("reviews", [b"text"])
    path = tmp_path / "corpora" / "reviews.txt"
    path.write_bytes(b"\xff")
    with pytest.raises(Damaged, match=r"reviews.txt does not match its checksum"):
        list(corpora.lines("reviews"))
    # One of an earlier version has no checksum.
    sums.sum_of(path).unlink()
    with pytest.raises(Damaged, match=r"reviews.txt is no longer UTF-8"):
        list(corpora.lines("reviews"))


def test_a_half_received_corpus_is_swept(corpora: CorpusFiles, tmp_path: Path) -> None:
    files.temporary(tmp_path / "corpora").write_bytes(b"half")
    assert corpora.sweep() == 1
