from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store import files
from store.dataset_files import DatasetFiles
from store.errors import BadInput, BadText, Damaged, NotFound

ROWS = st.lists(
    st.tuples(
        st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from(["a", "b", "é\n"])
    ),
    min_size=1,
    max_size=12,
)


@pytest.fixture
def datasets(tmp_path: Path) -> DatasetFiles:
    return DatasetFiles(tmp_path / "datasets")


@settings(deadline=None, max_examples=40)
@given(rows=ROWS)
def test_a_dataset_reads_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    root = tmp_path_factory.mktemp("datasets")
    datasets = DatasetFiles(root)
    info = datasets.put("acme", "sst2", iter(rows))
    data = (root / info.path_name).read_bytes()
    assert list(datasets.rows(info.path_name)) == rows
    assert (info.rows, info.labels) == (len(rows), dict(Counter(label for _, label in rows)))
    assert (info.bytes, info.sha256) == (len(data), hashlib.sha256(data).hexdigest())


def test_a_new_version_of_a_dataset_leaves_the_old_file_to_its_readers(
    datasets: DatasetFiles,
) -> None:
    old = datasets.put("acme", "sst2", [("one", "a"), ("two", "b")])
    reading = datasets.rows(old.path_name)
    assert next(reading) == ("one", "a")
    new = datasets.put("acme", "sst2", [("one", "a"), ("two", "b")])
    assert new.path_name != old.path_name
    assert new.sha256 == old.sha256
    datasets.remove(old.path_name)
    assert next(reading) == ("two", "b")
    reading.close()  # type: ignore[attr-defined]


def test_a_dataset_of_nothing_or_of_half_characters_is_refused(datasets: DatasetFiles) -> None:
    with pytest.raises(BadText, match="has no rows"):
        datasets.put("acme", "sst2", [])
    with pytest.raises(BadText, match="Row 2 is not text"):
        datasets.put("acme", "sst2", [("fine", "a"), ("\ud800", "b")])
    assert datasets.sweep(set()) == 0


def test_unknown_and_unfinished_datasets_are_swept(datasets: DatasetFiles, tmp_path: Path) -> None:
    known = datasets.put("acme", "sst2", [("text", "a")])
    datasets.put("acme", "sst2", [("text", "b")])
    files.temporary(tmp_path / "datasets" / "acme").write_bytes(b"half")
    assert datasets.sweep({known.path_name}) == 2
    assert list(datasets.rows(known.path_name)) == [("text", "a")]


def test_a_dataset_that_rotted_is_damage_that_names_the_row(
    datasets: DatasetFiles, tmp_path: Path
) -> None:
    info = datasets.put("acme", "sst2", [("text", "a")])
    with (tmp_path / "datasets" / info.path_name).open("a") as file:
        file.write('["half')
    with pytest.raises(Damaged, match="damaged at row 2"):
        list(datasets.rows(info.path_name))


@pytest.mark.parametrize("name", ["", "sst2", "../sst2", "a/b/c", "acme/..", "/etc/passwd"])
def test_a_path_name_cannot_lead_outside(datasets: DatasetFiles, name: str) -> None:
    with pytest.raises(BadInput):
        datasets.rows(name)


def test_a_dataset_that_is_not_there_is_not_found(datasets: DatasetFiles) -> None:
    with pytest.raises(NotFound, match="not there"):
        datasets.rows("acme/sst2.0.jsonl")
