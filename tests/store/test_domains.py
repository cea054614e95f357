from __future__ import annotations

from dataclasses import replace

import pytest

from store.catalogue import Catalogue
from store.errors import Exists, InUse, NotFound
from store.rows import DomainRow, VplmRow


def test_the_tree_is_listed_depth_first(catalogue: Catalogue, root: DomainRow) -> None:
    catalogue.domains.add(replace(root, name="news", parent="general"))
    catalogue.domains.add(replace(root, name="books", parent="reviews"))
    names = [row.name for row in catalogue.domains.all()]
    assert names == ["general", "news", "reviews", "books", "films"]


def test_a_tree_may_be_very_deep(empty: Catalogue, root: DomainRow) -> None:
    rows = [root] + [
        replace(root, name=f"d{i:04d}", parent=f"d{i - 1:04d}" if i else "general")
        for i in range(1500)
    ]
    with empty._connections.writing() as db:
        empty.domains._rows.insert(db, rows)
    assert [row.name for row in empty.domains.all()] == [row.name for row in rows]


def test_a_domain_needs_a_parent_that_is_there(catalogue: Catalogue, root: DomainRow) -> None:
    with pytest.raises(NotFound, match='There is no domain "nowhere"'):
        catalogue.domains.add(replace(root, name="lost", parent="nowhere"))
    with pytest.raises(NotFound, match='There is no domain "loop"'):
        catalogue.domains.add(replace(root, name="loop", parent="loop"))
    with pytest.raises(Exists, match='its root already, "general"'):
        catalogue.domains.add(replace(root, name="second"))
    with pytest.raises(Exists, match='Domain "films" exists already'):
        catalogue.domains.add(replace(root, name="films", parent="general"))


def test_a_domain_remembers_what_is_changed(catalogue: Catalogue) -> None:
    changed = catalogue.domains.change(
        "films", epoch=3, state="ready", encoder="e" * 64, corpus_lines=5, params={"alpha": 0.5}
    )
    assert catalogue.domains.get("films") == changed
    assert (changed.epoch, changed.params) == (3, {"alpha": 0.5})
    with pytest.raises(NotFound, match='There is no domain "nowhere"'):
        catalogue.domains.change("nowhere", epoch=1)


def test_a_removed_domain_hands_its_children_and_vplms_to_its_parent(
    catalogue: Catalogue, vplm: VplmRow
) -> None:
    catalogue.vplms.change("acme/polarity", domain="reviews")
    removed = catalogue.domains.remove("reviews")
    assert (removed.name, removed.parent) == ("reviews", "general")
    assert catalogue.domains.get("films").parent == "general"
    assert catalogue.vplms.get("acme/polarity").domain == "general"
    assert catalogue.vplms.count(domain="general") == 1
    with pytest.raises(NotFound):
        catalogue.domains.get("reviews")


def test_the_root_cannot_be_removed(catalogue: Catalogue) -> None:
    with pytest.raises(InUse, match='root domain "general" cannot be removed'):
        catalogue.domains.remove("general")
    assert len(catalogue.domains.all()) == 3


def test_an_encoder_is_a_blob_the_catalogue_knows(catalogue: Catalogue) -> None:
    catalogue.domains.change("films", encoder="e" * 64)
    assert catalogue.blob_ids() == {"a" * 64, "e" * 64}
