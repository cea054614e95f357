from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from store.errors import BadInput, Damaged
from store.tables import TableFiles
from store.traffic_files import TrafficFiles

ARRAYS = {"keys": np.arange(50, dtype=np.int64), "made_for": np.array("abc")}


@pytest.fixture
def traffic(tmp_path: Path) -> TrafficFiles:
    return TrafficFiles(tmp_path)


def test_what_is_put_is_got_and_replaced(traffic: TrafficFiles) -> None:
    assert traffic.get("reviews") is None
    traffic.put("reviews", ARRAYS)
    found = traffic.get("reviews")
    assert found is not None
    assert np.array_equal(found["keys"], ARRAYS["keys"])
    assert str(found["made_for"]) == "abc"
    traffic.put("reviews", {"keys": np.arange(3)})
    again = traffic.get("reviews")
    assert again is not None
    assert list(again) == ["keys"]


def test_a_damaged_file_is_named(traffic: TrafficFiles) -> None:
    traffic.put("reviews", ARRAYS)
    path = traffic.path("reviews")
    whole = path.read_bytes()
    refused = 0
    for at in range(0, len(whole), 7):
        for content in (whole[:at], whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :]):
            path.write_bytes(content)
            try:
                found = traffic.get("reviews")
            except Damaged as error:
                refused += str(path) in error.detail
                continue
            # A byte that nobody reads: what was read is what was written.
            assert found is not None
            assert np.array_equal(found["keys"], ARRAYS["keys"])
    assert refused > len(whole) / 7


def test_objects_are_neither_written_nor_read(traffic: TrafficFiles) -> None:
    with pytest.raises(ValueError, match="allow_pickle"):
        traffic.put("reviews", {"keys": np.array([object()])})
    traffic.path("reviews").parent.mkdir(exist_ok=True)
    np.savez(traffic.path("reviews"), keys=np.array([object()]))
    with pytest.raises(Damaged):
        traffic.get("reviews")


def test_it_lies_beside_the_tables_and_disturbs_none(traffic: TrafficFiles, tmp_path: Path) -> None:
    tables = TableFiles(tmp_path)
    for domain in ("reviews", "gone"):
        traffic.put(domain, ARRAYS)
    with tables.writer("reviews", 1, (2,), np.int8) as writer:
        writer.append(np.arange(3), np.zeros((3, 2), np.int8))
        writer.commit()
    assert tables.epochs("reviews") == [1]
    assert tables.epochs("gone") == []
    assert traffic.sweep({"reviews"}) == 1
    tables.sweep({("reviews", 1)})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["reviews"]
    assert traffic.get("reviews") is not None
    tables.remove("reviews")
    assert traffic.get("reviews") is None


def test_each_backbone_has_its_own_and_takes_over_what_was_counted_before(tmp_path: Path) -> None:
    before, small, large = (TrafficFiles(tmp_path, name) for name in ("", "5" * 64, "6" * 64))
    before.put("reviews", ARRAYS)
    large.put("reviews", {"keys": np.arange(3)})
    small.take("reviews", before)
    large.take("reviews", before)
    assert before.get("reviews") is None
    found = small.get("reviews"), large.get("reviews")
    assert [0 if each is None else len(each["keys"]) for each in found] == [50, 3]
    assert small.measure() == before.measure()
    assert small.measure().files == 2
    assert before.sweep(set()) == 2


def test_removing_what_is_not_there_is_no_error(traffic: TrafficFiles) -> None:
    traffic.remove("reviews")
    traffic.put("reviews", ARRAYS)
    traffic.remove("reviews")
    traffic.remove("reviews")
    assert traffic.get("reviews") is None
    with pytest.raises(BadInput):
        traffic.put("../elsewhere", ARRAYS)
