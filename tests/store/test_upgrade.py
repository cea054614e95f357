"""A catalogue that any earlier version wrote is brought up to date with all that it holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from store.archive import Archive
from store.backup import back_up
from store.catalogue import Catalogue
from store.fsck import check_home
from store.places import Places
from store.restore import restore
from tests.store.earlier import SCHEMAS, age, steps
from tests.store.homes import VPLMS, make_home


@pytest.fixture
def places(tmp_path: Path) -> Places:
    with Catalogue(tmp_path / "home" / "catalogue.db") as catalogue:
        return make_home(tmp_path / "home", catalogue)


def check_rows(places: Places) -> None:
    with Catalogue(places.catalogue) as catalogue:
        assert catalogue.vplms.count() == VPLMS
        for vplm in catalogue.vplms.all():
            assert (vplm.task, vplm.labels) == ("classify", ("a", "b"))
            assert catalogue.adapters.used(vplm.adapter)
        reviews = catalogue.domains.get("reviews")
        assert (reviews.epoch, reviews.state, reviews.corpus_lines) == (1, "ready", 2)
        assert catalogue.domains.known() == [reviews]
        assert reviews.encoder is not None
        assert catalogue.knows_blob(reviews.encoder)
        assert [row.name for row in catalogue.datasets.all()] == ["data"]
        assert catalogue.tenants.count() == 1


def test_there_are_schemas_of_several_ages() -> None:
    counts = [steps(schema) for schema in SCHEMAS]
    assert counts == sorted(counts)
    assert counts[0] == 3
    assert len(set(counts)) == len(counts) >= 7


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda path: path.stem)
def test_an_earlier_catalogue_is_checked_backed_up_and_brought_up_to_date(
    places: Places, schema: Path, tmp_path: Path
) -> None:
    age(places.catalogue, schema)
    # Before any engine has seen it.
    assert check_home(places).faults == ()
    made = back_up(places, tmp_path / "backup")
    assert made.faults == ()
    check_rows(places)
    assert check_home(places).faults == ()
    again = Places(tmp_path / "again")
    with Archive(tmp_path / "backup") as archive:
        assert len(archive.manifest.steps) == steps(schema)
        restore(again, archive)
    check_rows(again)
