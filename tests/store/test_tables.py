from __future__ import annotations

import errno
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from store import files, sums
from store.errors import BadInput, Damaged, Exists, NotFound, TooNew
from store.tables import TableFiles

KEYS = st.lists(st.integers(-(2**63), 2**63 - 1), unique=True, max_size=30).map(sorted)
DTYPES = st.sampled_from(["<f2", "<f4", "<i8", "|u1", "|b1"])
SHAPES = hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=4)


@pytest.fixture
def tables(tmp_path: Path) -> TableFiles:
    return TableFiles(tmp_path / "tables")


def write(tables: TableFiles, domain: str = "reviews", epoch: int = 1, entries: int = 4) -> Path:
    with tables.writer(domain, epoch, (2, 3), np.float16) as writer:
        writer.append(np.arange(entries), np.ones((entries, 2, 3), np.float16))
        writer.commit()
    return tables.folder(domain, epoch)


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data(), keys=KEYS, dtype=DTYPES, shape=SHAPES, chunk=st.integers(1, 8))
def test_any_table_comes_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
    keys: list[int],
    dtype: str,
    shape: tuple[int, ...],
    chunk: int,
) -> None:
    rows: NDArray[np.generic] = data.draw(hnp.arrays(dtype, (len(keys), *shape)))
    packed = np.array(keys, np.int64)
    tables = TableFiles(tmp_path_factory.mktemp("tables"))
    with tables.writer("reviews", 7, shape, dtype) as writer:
        for start in range(0, len(keys), chunk):
            writer.append(packed[start : start + chunk], rows[start : start + chunk])
        writer.set("counts", packed[::-1])
        writer.meta["alpha"] = 0.5
        written = writer.commit()
    table = tables.open("reviews", 7, verify=True)
    assert table.manifest == written
    assert table.manifest.entries == len(keys)
    assert table.manifest.meta == {"alpha": 0.5}
    np.testing.assert_array_equal(table.keys, packed)
    np.testing.assert_array_equal(table.arrays["counts"], packed[::-1])
    assert table.rows.dtype == np.dtype(dtype)
    assert table.rows.shape == rows.shape
    assert table.rows.tobytes() == rows.tobytes()


def test_an_empty_table_works(tables: TableFiles) -> None:
    with tables.writer("reviews", 0, (3, 384), np.float16) as writer:
        writer.commit()
    table = tables.open("reviews", 0, verify=True)
    assert table.keys.shape == (0,)
    assert table.rows.shape == (0, 3, 384)


def test_rows_are_mapped_and_cannot_be_changed(tables: TableFiles) -> None:
    write(tables)
    table = tables.open("reviews", 1)
    assert isinstance(table.rows, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        table.rows[0] = 1


def test_an_open_table_stays_readable_when_it_is_removed(tables: TableFiles) -> None:
    write(tables)
    table = tables.open("reviews", 1)
    tables.remove("reviews", 1)
    assert tables.epochs("reviews") == []
    assert table.rows.sum() == 24


def test_a_writer_that_is_left_leaves_nothing(tables: TableFiles, tmp_path: Path) -> None:
    with tables.writer("reviews", 1, (), np.float32) as writer:
        writer.append([1, 2], np.zeros(2, np.float32))
    with pytest.raises(NotFound, match="no table of epoch 1"):
        tables.open("reviews", 1)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_an_unfinished_table_is_invisible_and_swept(tables: TableFiles) -> None:
    final = write(tables)
    half = files.temporary(final.parent)
    half.mkdir()
    (half / "keys.npy").write_bytes(b"half")
    assert tables.epochs("reviews") == [1]
    assert tables.sweep({("reviews", 1)}) == 1
    assert tables.epochs("reviews") == [1]
    assert not half.exists()


def test_sweep_removes_tables_that_nobody_keeps(tables: TableFiles) -> None:
    for epoch in (1, 2, 3):
        write(tables, epoch=epoch)
    write(tables, "gone")
    assert tables.sweep({("reviews", 3)}) == 3
    assert tables.epochs("reviews") == [3]
    assert not tables.folder("gone", 1).parent.exists()


def test_epochs_are_listed_in_order_of_number(tables: TableFiles) -> None:
    for epoch in (10, 2, 1_000_000):
        write(tables, epoch=epoch)
    assert tables.epochs("reviews") == [2, 10, 1_000_000]
    tables.remove("reviews")
    tables.remove("reviews")
    assert tables.epochs("reviews") == []


def test_an_epoch_is_never_written_twice(tables: TableFiles) -> None:
    with tables.writer("reviews", 1, (2, 3), np.float16) as late:
        write(tables)
        with pytest.raises(Exists, match="epoch 1 already"):
            late.commit()
    with pytest.raises(Exists, match="epoch 1 already"):
        write(tables)
    assert tables.open("reviews", 1, verify=True).manifest.entries == 4


@pytest.mark.parametrize("chunks", [[[2, 1]], [[1, 1]], [[1, 5], [5, 6]], [[3], [2]]])
def test_keys_must_ascend(tables: TableFiles, chunks: list[list[int]]) -> None:
    with tables.writer("reviews", 1, (), np.float32) as writer:
        for keys in chunks[:-1]:
            writer.append(keys, np.zeros(len(keys), np.float32))
        with pytest.raises(ValueError, match="must ascend"):
            writer.append(chunks[-1], np.zeros(len(chunks[-1]), np.float32))


def test_keys_as_far_apart_as_they_can_be_ascend(tables: TableFiles) -> None:
    with tables.writer("reviews", 1, (), np.float32) as writer:
        writer.append([-(2**63), 2**63 - 1], np.zeros(2, np.float32))
        writer.commit()
    assert tables.open("reviews", 1).keys.tolist() == [-(2**63), 2**63 - 1]


def test_what_does_not_fit_the_table_is_refused(tables: TableFiles) -> None:
    with tables.writer("reviews", 1, (2,), np.float16) as writer:
        with pytest.raises(ValueError, match="do not fit"):
            writer.append([1], np.zeros((1, 3), np.float16))
        with pytest.raises(TypeError, match="uint64"):
            writer.append(np.array([1], np.uint64), np.zeros((1, 2), np.float16))
        with pytest.raises(TypeError, match="complex"):
            writer.append([1], np.zeros((1, 2), np.complex64))
        with pytest.raises(ValueError, match="'rows' already"):
            writer.set("rows", np.zeros(1))
        with pytest.raises(BadInput, match="cannot name"):
            writer.set("../rows", np.zeros(1))
    with pytest.raises(ValueError, match="cannot be stored"):
        tables.writer("reviews", 1, (), np.dtype(object))


@pytest.mark.parametrize("name", ["keys.npy", "rows.npy"])
def test_a_file_of_another_size_is_damage_that_names_it(tables: TableFiles, name: str) -> None:
    path = write(tables) / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(Damaged, match=f"{name} has"):
        tables.open("reviews", 1)
    path.unlink()
    with pytest.raises(Damaged, match=f"{name} is missing"):
        tables.open("reviews", 1)


def test_a_changed_byte_is_found_when_verifying(tables: TableFiles) -> None:
    path = write(tables) / "rows.npy"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    tables.open("reviews", 1)
    with pytest.raises(Damaged, match=r"rows.npy does not match its checksum"):
        tables.open("reviews", 1, verify=True)
    with pytest.raises(Damaged, match=r"rows.npy does not match its checksum"):
        tables.verify("reviews", 1)


def test_verifying_finds_a_whole_table_whole_and_a_missing_one_missing(tables: TableFiles) -> None:
    path = write(tables)
    tables.verify("reviews", 1)
    with pytest.raises(NotFound, match="no table of epoch 2"):
        tables.verify("reviews", 2)
    (path / "keys.npy").unlink()
    with pytest.raises(Damaged, match=r"keys.npy is missing"):
        tables.verify("reviews", 1)


def test_a_file_that_the_disk_cannot_read_is_damage(
    tables: TableFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tables)

    def fail(_path: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("store.table_manifest.record_of", fail)
    with pytest.raises(Damaged, match="cannot be read: Input/output error"):
        tables.verify("reviews", 1)


def test_a_header_that_belies_the_manifest_is_damage(tables: TableFiles) -> None:
    path = write(tables) / "rows.npy"
    path.write_bytes(path.read_bytes().replace(b"(4, 2, 3)", b"(4, 3, 2)"))
    with pytest.raises(Damaged, match=r"rows.npy does not match its manifest"):
        tables.open("reviews", 1)
    path.write_bytes(b"x" * path.stat().st_size)
    with pytest.raises(Damaged, match=r"rows.npy cannot be read"):
        tables.open("reviews", 1)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"format": 1}', '{"format": "x"}'])
def test_a_manifest_that_is_none_is_damage(tables: TableFiles, content: str) -> None:
    sums.write_whole(write(tables) / "manifest.json", content.encode())
    with pytest.raises(Damaged, match=r"manifest.json"):
        tables.open("reviews", 1)


def test_a_manifest_of_a_newer_format_is_not_read(tables: TableFiles) -> None:
    path = write(tables) / "manifest.json"
    newer = json.dumps({**json.loads(path.read_text()), "format": 2})
    sums.write_whole(path, newer.encode())
    with pytest.raises(TooNew, match="newer version"):
        tables.open("reviews", 1)


def test_a_domain_cannot_name_a_place_outside(tables: TableFiles) -> None:
    with pytest.raises(BadInput, match="cannot name a domain"):
        tables.open("../reviews", 1)
    with pytest.raises(ValueError, match="negative"):
        tables.open("reviews", -1)
