from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlite_utils import Database

from store.catalogue import Catalogue
from store.errors import InUse, NotFound
from store.migrations import MIGRATIONS
from store.rows import AdapterRow, StarterRow, VplmRow


def another(adapter: AdapterRow, digit: str, rank: int = 64) -> AdapterRow:
    return replace(adapter, id=digit * 64, created_by=f"job-{digit}", rank=rank)


def numbers(catalogue: Catalogue, name: str = "polarity") -> list[int]:
    return [row.version for row in catalogue.versions.of("acme", name)]


@pytest.fixture
def starter(adapter: AdapterRow) -> StarterRow:
    return StarterRow(
        owner="",
        name="polarity",
        version=0,
        adapter=adapter.id,
        labels=("negative", "positive"),
        domain="general",
        mode="plot",
        accuracy=0.9,
        card={"task": "is it praise"},
        source="acme/polarity:1",
        published_at=100.0,
    )


def test_a_vplm_begins_with_its_first_version(catalogue: Catalogue, vplm: VplmRow) -> None:
    [first] = catalogue.versions.of("acme", "polarity")
    assert (first.id, first.adapter, first.origin) == (
        "acme/polarity:1",
        vplm.adapter,
        "created",
    )
    assert first.published_at == vplm.created_at


def test_each_publication_is_a_version_with_what_it_came_of(
    catalogue: Catalogue, adapter: AdapterRow
) -> None:
    trained = another(adapter, "b", rank=8)
    row = catalogue.vplms.publish(
        "acme/polarity", trained.id, 0.9, adapters=[trained], source="job-b"
    )
    assert (row.version, row.rank) == (2, 8)
    newest, first = catalogue.versions.of("acme", "polarity")
    assert (newest.version, newest.adapter, newest.accuracy) == (2, trained.id, 0.9)
    assert (newest.origin, newest.source) == ("trained", "job-b")
    assert newest.published_at > first.published_at


def test_a_kept_version_keeps_its_adapter(catalogue: Catalogue, adapter: AdapterRow) -> None:
    trained = another(adapter, "b")
    catalogue.vplms.publish("acme/polarity", trained.id, 0.9, adapters=[trained])
    assert catalogue.vplms.users_of([adapter.id]) == {adapter.id: []}
    assert catalogue.adapters.unused() == []
    assert catalogue.adapters.used(adapter.id)
    with pytest.raises(InUse, match='used by version 1 of vPLM "acme/polarity"'):
        catalogue.adapters.remove(adapter.id)


def test_the_oldest_versions_beyond_the_limit_go(
    catalogue: Catalogue, adapter: AdapterRow, vplm: VplmRow
) -> None:
    catalogue.vplms.add(replace(vplm, name="other", adapter=adapter.id))
    for digit in "bcd":
        trained = another(adapter, digit)
        catalogue.vplms.publish("acme/polarity", trained.id, None, adapters=[trained], keep=2)
    assert numbers(catalogue) == [4, 3]
    assert numbers(catalogue, "other") == [1]
    # That of version 1 is still the other vPLM's.
    assert catalogue.adapters.unused() == ["b" * 64]


def test_a_version_that_is_not_kept_is_named_with_those_that_are(
    catalogue: Catalogue, adapter: AdapterRow
) -> None:
    catalogue.vplms.publish("acme/polarity", adapter.id, None)
    with pytest.raises(NotFound) as caught:
        catalogue.versions.get("acme", "polarity", 7)
    assert caught.value.detail == 'vPLM "acme/polarity" has no version 7; it has 1, 2.'


def test_a_removed_vplm_takes_its_versions_along(
    catalogue: Catalogue, adapter: AdapterRow, vplm: VplmRow
) -> None:
    catalogue.vplms.publish("acme/polarity", adapter.id, None)
    catalogue.vplms.remove("acme/polarity")
    assert numbers(catalogue) == []
    assert catalogue.adapters.unused() == [adapter.id]
    catalogue.vplms.add(vplm)
    assert numbers(catalogue) == [1]


def test_the_bytes_of_kept_versions_are_the_tenants(
    catalogue: Catalogue, adapter: AdapterRow
) -> None:
    trained = replace(another(adapter, "b"), bytes=1000)
    catalogue.vplms.publish("acme/polarity", trained.id, None, adapters=[trained])
    assert catalogue.vplms.stored_bytes("acme") == adapter.bytes + 1000


def test_what_served_before_versions_were_kept_is_a_version(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.db"
    with Database(path) as db:
        MIGRATIONS.apply(db, stop_before="m008_versions_of_a_vplm")
        db.execute("insert into tenants values ('acme', 1.0, '{}', 'digest', 1.0)")
        db.execute(
            "insert into domains (name, epoch, state, corpus_bytes, corpus_lines, params, "
            "created_at) values ('general', 0, 'empty', 0, 0, '{}', 1.0)"
        )
        db.execute(
            "insert into adapters values ('aa', 5, 4, 'both', 2, 'job-1', '{}', 1.0)",
        )
        for name, version in (("new", 1), ("old", 4)):
            db.execute(
                "insert into vplms (tenant, name, kind, domain, labels, mode, rank, adapter, "
                "version, pinned, accuracy, created_at) values "
                f"('acme', '{name}', 'classifier', 'general', '[]', 'plot', 4, 'aa', {version}, "
                "0, 0.5, 2.0)"
            )
        db.conn.commit()
    with Catalogue(path) as catalogue:
        [new], [old] = (catalogue.versions.of("acme", name) for name in ("new", "old"))
        assert (new.version, new.origin) == (1, "created")
        assert (old.version, old.origin, old.adapter, old.accuracy) == (4, "trained", "aa", 0.5)


def test_starting_points_are_numbered_by_name_and_owner(
    catalogue: Catalogue, starter: StarterRow
) -> None:
    ids = [
        catalogue.starters.publish(replace(starter, owner=owner, name=name)).id
        for owner, name in (("", "polarity"), ("", "polarity"), ("acme", "polarity"), ("", "x"))
    ]
    assert ids == ["polarity:1", "polarity:2", "acme/polarity:1", "x:1"]
    assert catalogue.starters.get("", "polarity").version == 2
    assert catalogue.starters.get("", "polarity", 1) == replace(starter, version=1)
    with pytest.raises(NotFound, match='no starting point "acme/polarity:3"'):
        catalogue.starters.get("acme", "polarity", 3)


def test_starting_points_are_listed_by_who_may_see_them(
    catalogue: Catalogue, starter: StarterRow
) -> None:
    for owner in ("", "acme", "globex"):
        catalogue.starters.publish(replace(starter, owner=owner))

    def ids(**query: object) -> list[str]:
        return [row.id for row in catalogue.starters.page(**query)[0]]  # type: ignore[arg-type]

    assert ids() == ["polarity:1", "acme/polarity:1", "globex/polarity:1"]
    assert ids(owners=["", "acme"]) == ["polarity:1", "acme/polarity:1"]
    assert ids(owners=[]) == []
    assert ids(q="PRAISE", owners=["globex"]) == ["globex/polarity:1"]
    for sort in catalogue.starters._rows.kind.sorts:
        assert catalogue.starters.page(sort=sort)[1] == 3


def test_a_starting_point_keeps_its_adapter_until_it_is_removed(
    catalogue: Catalogue, adapter: AdapterRow, starter: StarterRow
) -> None:
    catalogue.starters.publish(starter)
    catalogue.vplms.remove("acme/polarity")
    assert catalogue.starters.users_of([adapter.id]) == {adapter.id: ["polarity:1"]}
    with pytest.raises(InUse, match='used by starting point "polarity:1"'):
        catalogue.adapters.remove(adapter.id)
    assert catalogue.starters.remove("", "polarity", 1).adapter == adapter.id
    assert catalogue.adapters.unused() == [adapter.id]


def test_a_removed_tenant_takes_its_starting_points_along(
    catalogue: Catalogue, adapter: AdapterRow, starter: StarterRow
) -> None:
    own = another(adapter, "b")
    catalogue.adapters.add(own)
    catalogue.starters.publish(replace(starter, owner="acme", adapter=own.id))
    catalogue.starters.publish(starter)
    adapters, _ = catalogue.tenants.remove("acme")
    # The operator published the other.
    assert adapters == [own.id]
    assert [row.id for row in catalogue.starters.page()[0]] == ["polarity:1"]
