from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from engine._client import uploads
from engine.client import AsyncClient, BadInput
from tests.engine.api.running import Running


def test_a_corpus_is_streamed_from_files_and_bytes_each_ending_its_line(
    engine: Running, tmp_path: Path
) -> None:
    plain, packed = tmp_path / "a.txt", tmp_path / "b.txt.gz"
    plain.write_bytes(b"one\ntwo")
    packed.write_bytes(gzip.compress(b"three\n"))
    with engine.client() as client:
        receipt = client.put_corpus("reviews", [plain, packed, b"four\n"])
    assert bytes(engine.appliance.received) == b"one\ntwo\nthree\nfour\n"
    assert receipt.bytes == 19


def test_a_corpus_may_be_bytes_or_one_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one\n")
    assert b"".join(uploads.corpus(b"one\n")) == b"one\n"
    assert b"".join(uploads.corpus(tmp_path / "a.txt")) == b"one\n"
    assert list(uploads.corpus([])) == []


def test_each_file_of_a_corpus_loses_its_byte_order_mark(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.txt", "b.txt", "mark.txt", "empty.txt")]
    files[0].write_bytes(b"\xef\xbb\xbfone\n")
    files[1].write_bytes(b"\xef\xbb\xbftwo\xef\xbb\xbf")
    files[2].write_bytes(b"\xef\xbb\xbf")
    files[3].write_bytes(b"")
    assert b"".join(uploads.corpus(files)) == b"one\ntwo\xef\xbb\xbf\n\n"


@pytest.mark.parametrize(
    ("line", "told"),
    [(2, "Line 2 of {a} is bad."), (4, "Line 1 of {b} is bad."), (9, "Line 9 is bad.")],
)
async def test_a_refused_line_is_told_by_its_file(
    engine: Running, tmp_path: Path, line: int, told: str
) -> None:
    plain, packed = tmp_path / "a.txt", tmp_path / "b.txt.gz"
    plain.write_bytes(b"one\ntwo\nthree")
    packed.write_bytes(gzip.compress(b"four\n"))
    engine.appliance.fails["chunk"] = BadInput(f"Line {line} is bad.", remedy="Mend.", line=line)
    with engine.client() as client, pytest.raises(BadInput) as refused:
        client.put_corpus("reviews", [plain, packed])
    async with AsyncClient(engine.socket) as waiting:
        with pytest.raises(BadInput) as refused_too:
            await waiting.put_corpus("reviews", [plain, packed])
    assert refused.value.detail == told.format(a=plain, b=packed)
    assert refused.value.remedy == "Mend."
    assert str(refused_too.value) == str(refused.value)


def test_a_large_file_arrives_in_pieces_and_whole(engine: Running, tmp_path: Path) -> None:
    text = b"".join(b"line %d\n" % number for number in range(200_000))
    (tmp_path / "big.txt.gz").write_bytes(gzip.compress(text, 1))
    with engine.client() as client:
        client.put_corpus("reviews", tmp_path / "big.txt.gz")
    assert bytes(engine.appliance.received) == text
    assert engine.appliance.chunks > 5


async def test_the_awaiting_client_uploads_as_well(engine: Running, tmp_path: Path) -> None:
    data = tmp_path / "train.csv.gz"
    data.write_bytes(gzip.compress(b"t,l\nx,y\n"))
    async with AsyncClient(engine.socket) as client:
        receipt = await client.put_dataset("acme", "sst2", data, "t", "l")
    assert receipt.rows == 2
    assert ("put_dataset", ("acme", "sst2", "csv", "t", "l")) in engine.appliance.calls
    assert bytes(engine.appliance.received) == b"t,l\nx,y\n"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.jsonl", "jsonl"),
        ("a.json", "jsonl"),
        ("a.JSONL.gz", "jsonl"),
        ("x.y.csv", "csv"),
        ("a.txt.gz", "text"),
    ],
)
def test_the_format_of_a_dataset_is_read_from_its_name(name: str, expected: str) -> None:
    assert uploads.dataset_format(Path(name)) == expected


@pytest.mark.parametrize("name", ["a.md", "a", "a.gz", "csv"])
def test_a_name_that_tells_no_format_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match=r"\.jsonl"):
        uploads.dataset_format(Path(name))


def test_a_missing_file_is_refused_before_anything_is_sent(engine: Running, tmp_path: Path) -> None:
    with engine.client() as client:
        with pytest.raises(BadInput, match=r"nowhere\.csv cannot be read"):
            client.put_dataset("acme", "sst2", tmp_path / "nowhere.csv")
        with pytest.raises(BadInput, match=r"nowhere\.txt cannot be read"):
            client.put_corpus("reviews", tmp_path / "nowhere.txt")
    assert ("put_dataset", ("acme", "sst2", "csv", "text", "label")) not in engine.appliance.calls


def test_a_broken_gzip_file_is_named_and_the_upload_is_given_up(
    engine: Running, tmp_path: Path
) -> None:
    broken = tmp_path / "c.txt.gz"
    broken.write_bytes(gzip.compress(b"abc\n" * 1000)[:-20])
    with engine.client() as client, pytest.raises(BadInput, match=r"c\.txt\.gz is not a whole"):
        client.put_corpus("reviews", broken)


async def test_a_refused_upload_brings_its_reason_even_midway(engine: Running) -> None:
    engine.appliance.fails["chunk"] = BadInput("Line 3 is not text.")
    pieces = [b"x" * 200_000] * 40
    with engine.client() as client, pytest.raises(BadInput, match="Line 3"):
        client.put_corpus("reviews", pieces)
    async with AsyncClient(engine.socket) as waiting:
        with pytest.raises(BadInput, match="Line 3"):
            await waiting.put_corpus("reviews", pieces)
