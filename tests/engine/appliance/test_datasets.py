"""Datasets as things: counted when they come, listed, shown, and removed when nobody needs them."""

from __future__ import annotations

import gzip
import hashlib
import json

import pytest

from engine.appliance import Appliance
from engine.config import Settings
from engine.errors import BadInput, Conflict
from engine.schema import Dataset
from store.errors import NotFound
from store.rows import JobRow
from tests.engine.appliance.small import core_of, make_tenant, opened

ROWS = [
    *(("a good film", "yes"), ("a good film", "yes"), ("a good film", "no")),
    *((f"dull {i}", "no") for i in range(30)),
    ("very " * 200, "yes"),
]


def encoded(rows: list[tuple[str, str]]) -> bytes:
    lines = (json.dumps({"text": text, "label": label}) for text, label in rows)
    return "\n".join(lines).encode()


def put(engine: Appliance, name: str, data: bytes) -> Dataset:
    return engine.put_dataset("acme", name, iter([data[:50], data[50:]]), "jsonl", "text", "label")


def test_a_dataset_tells_what_is_odd_in_it(appliance: Appliance) -> None:
    found = put(appliance, "films", encoded(ROWS))
    assert (found.rows, found.labels) == (34, {"yes": 3, "no": 31})
    assert (found.duplicates, found.conflicts, found.too_long) == (1, 3, 1)
    assert found.held_out == 1 + 3
    assert appliance.dataset("acme", "films") == found
    core = core_of(appliance)
    path = core.datasets.path(core.catalogue.datasets.get("acme", "films").path_name)
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert found.bytes == path.stat().st_size


def test_a_datasets_labels_are_kept_under_the_names_that_they_are_given(
    appliance: Appliance,
) -> None:
    data = encoded([("good", "1"), ("bad", "0"), ("dull", "0")])
    names = {"0": "no", "1": "yes"}

    def named(data: bytes) -> Dataset:
        chunks = iter([data])
        return appliance.put_dataset("acme", "films", chunks, "jsonl", "text", "label", names=names)

    found = named(data)
    assert found.labels == {"yes": 1, "no": 2}
    with pytest.raises(BadInput, match="No row has a label"):
        named(encoded([("good", "1")]))
    assert appliance.dataset("acme", "films") == found


def test_the_same_rows_have_the_same_fingerprint_however_they_came(appliance: Appliance) -> None:
    one = put(appliance, "one", encoded(ROWS))
    two = put(appliance, "two", gzip.compress(encoded(ROWS)))
    assert (one.sha256, one.rows) == (two.sha256, two.rows)
    assert put(appliance, "three", encoded(ROWS[1:])).sha256 != one.sha256


def test_datasets_are_listed_by_tenant_in_pages(appliance: Appliance) -> None:
    make_tenant(appliance, "globex")
    for count, name in ((3, "small"), (34, "large"), (8, "middle")):
        put(appliance, name, encoded(ROWS[:count]))
    page = appliance.datasets("acme", "", "-rows", 2, None)
    assert ([one.name for one in page.data], page.total) == (["large", "middle"], 3)
    page = appliance.datasets("acme", "", "-rows", 2, page.next_cursor)
    assert ([one.name for one in page.data], page.next_cursor) == (["small"], None)
    assert [d.name for d in appliance.datasets("acme", "MALL", None, 9, None).data] == ["small"]
    assert appliance.datasets("globex", "", None, 9, None).data == []
    with pytest.raises(NotFound):
        appliance.datasets("nobody", "", None, 9, None)


def test_a_removed_dataset_is_gone_with_its_file(appliance: Appliance) -> None:
    put(appliance, "films", encoded(ROWS))
    core = core_of(appliance)
    path = core.datasets.path(core.catalogue.datasets.get("acme", "films").path_name)
    appliance.remove_dataset("acme", "films")
    assert not path.exists()
    assert appliance.tenant("acme").used_bytes == 0
    for call in (appliance.dataset, appliance.remove_dataset):
        with pytest.raises(NotFound):
            call("acme", "films")


def test_a_dataset_that_a_training_needs_stays(appliance: Appliance) -> None:
    put(appliance, "films", encoded(ROWS))
    jobs = core_of(appliance).catalogue.jobs
    for job, subject in (("train-0", "globex/a"), ("train-1", "acme/a")):
        asked = {"dataset": "films"}
        jobs.add(JobRow(job, "train", subject, "queued", asked, created_at=1.0))
    assert appliance.dataset("acme", "films").jobs == ["train-1"]
    with pytest.raises(Conflict, match='Job train-1 trains "acme/a"'):
        appliance.remove_dataset("acme", "films")
    jobs.change("train-1", state="succeeded")
    appliance.remove_dataset("acme", "films")


def test_bad_rows_of_a_compressed_file_have_their_numbers(appliance: Appliance) -> None:
    data = gzip.compress(encoded(ROWS[:4]) + b'\n{"text": "", "label": "no"}\n')
    with pytest.raises(BadInput, match="line 5: column 'text' is not a text or is empty"):
        put(appliance, "films", data)
    assert appliance.datasets("acme", "", None, 9, None).total == 0


def test_what_an_earlier_version_did_not_count_is_not_made_up(settings: Settings) -> None:
    with opened(settings) as engine:
        make_tenant(engine)
        put(engine, "films", encoded(ROWS))
        with core_of(engine).catalogue._connections.writing() as db:
            db.execute("update datasets set duplicates = null, conflicts = null, too_long = null")
        old = engine.dataset("acme", "films")
        assert (old.duplicates, old.conflicts, old.too_long, old.rows) == (None, None, None, 34)
