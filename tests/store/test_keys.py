from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from sqlite_utils import Database

from store.catalogue import Catalogue
from store.errors import Exists, NotFound
from store.key_rows import digest_of
from store.migrations import MIGRATIONS
from store.rows import KeyRow

ALL = ("infer", "train", "manage")


def _key(id: str, tenant: str = "acme", **more: object) -> KeyRow:
    return replace(KeyRow(id, tenant, f"digest of {id}", ALL, 1.0), **more)  # type: ignore[arg-type]


def test_keys_are_kept_by_holder(catalogue: Catalogue) -> None:
    own, theirs, operators = _key("hmi-a"), _key("hmi-b", "globex"), _key("hmi-c", "")
    for row in (own, theirs, operators):
        catalogue.keys.add(row)
    assert catalogue.keys.all() == [own, theirs, operators]
    assert catalogue.keys.of("acme") == [own]
    assert catalogue.keys.of("") == [operators]
    with pytest.raises(Exists):
        catalogue.keys.add(replace(own, digest="another"))
    with pytest.raises(NotFound, match='no tenant "nobody"'):
        catalogue.keys.add(_key("hmi-d", "nobody"))


def test_a_new_key_ends_others_of_its_holder_and_none_later_than_they_would(
    catalogue: Catalogue,
) -> None:
    for row in (_key("hmi-a"), _key("hmi-b", expires_at=5.0), _key("hmi-x", "globex")):
        catalogue.keys.add(row)
    catalogue.keys.add(_key("hmi-c"), ends=["hmi-a", "hmi-b", "hmi-x"], at=9.0)
    ends = {row.id: row.expires_at for row in catalogue.keys.all()}
    assert ends == {"hmi-a": 9.0, "hmi-b": 5.0, "hmi-c": None, "hmi-x": None}
    catalogue.keys.add(_key("hmi-d", "", created_at=6.0))
    assert {row.id for row in catalogue.keys.all()} == {"hmi-a", "hmi-c", "hmi-d", "hmi-x"}


def test_a_tenant_comes_with_its_first_key_or_not_at_all(catalogue: Catalogue) -> None:
    catalogue.keys.add(_key("hmi-a"))
    fresh = replace(catalogue.tenants.get("acme"), name="initech")
    with pytest.raises(Exists):
        catalogue.tenants.add(fresh, _key("hmi-a", "initech"))
    with pytest.raises(NotFound):
        catalogue.tenants.get("initech")
    catalogue.tenants.add(fresh, _key("hmi-b", "initech"))
    assert [row.id for row in catalogue.keys.of("initech")] == ["hmi-b"]


def test_a_key_is_removed_by_its_holder_alone(catalogue: Catalogue) -> None:
    catalogue.keys.add(_key("hmi-a"))
    for holder in ("globex", ""):
        with pytest.raises(NotFound, match='no key "hmi-a"'):
            catalogue.keys.remove(holder, "hmi-a")
    assert catalogue.keys.remove("acme", "hmi-a").id == "hmi-a"
    assert catalogue.keys.all() == []


def test_keys_go_with_their_tenant(catalogue: Catalogue) -> None:
    for row in (_key("hmi-a"), _key("hmi-b", "globex"), _key("hmi-c", "")):
        catalogue.keys.add(row)
    catalogue.tenants.remove("acme")
    assert {row.id for row in catalogue.keys.all()} == {"hmi-b", "hmi-c"}


def test_each_catalogue_has_a_secret_of_its_own_and_keeps_it(tmp_path: Path) -> None:
    with Catalogue(tmp_path / "one.db") as one, Catalogue(tmp_path / "two.db") as two:
        first, second = one.keys.secret(), two.keys.secret()
    with Catalogue(tmp_path / "one.db") as again:
        assert again.keys.secret() == first != second
    assert len(first) == 32
    assert digest_of(first, "hmi-k") == digest_of(first, "hmi-k") != digest_of(second, "hmi-k")
    assert "hmi-k" not in digest_of(first, "hmi-k")


def test_a_key_from_before_goes_on_working(tmp_path: Path) -> None:
    path, key = tmp_path / "catalogue.db", "hmi-shown-long-ago"
    with Database(path) as db:
        MIGRATIONS.apply(db, stop_before="m012_keys_of_tenants_and_of_the_operator")
        old = hashlib.sha256(key.encode()).hexdigest()
        db.table("tenants").insert(
            {"name": "acme", "weight": 1.0, "quota": "{}", "key_digest": old, "created_at": 7.0}
        )
    with Catalogue(path) as catalogue:
        (row,) = catalogue.keys.all()
        assert row.digest == digest_of(catalogue.keys.secret(), key)
        assert (row.tenant, row.scopes, row.created_at, row.expires_at) == ("acme", ALL, 7.0, None)
        assert catalogue.tenants.get("acme").key_digest == ""
