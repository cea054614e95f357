from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest
from sqlite_utils import Database

from store.catalogue import Catalogue
from store.errors import Exists, InUse, NotFound, StoreError
from store.migrations import MIGRATIONS
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
        empty.domains._insert(db, rows)
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
    assert changed.policy == {}
    assert catalogue.domains.change("films", policy={"update": "idle"}).policy == {"update": "idle"}
    with pytest.raises(NotFound, match='There is no domain "nowhere"'):
        catalogue.domains.change("nowhere", epoch=1)


def test_a_domain_of_an_older_catalogue_is_taken_over(tmp_path: Path, root: DomainRow) -> None:
    path = tmp_path / "catalogue.db"
    with Database(path) as db:
        MIGRATIONS.apply(db, stop_before="m005_update_policy_of_a_domain")
        columns = {**asdict(root), "params": "{}"}
        del columns["policy"], columns["backbone"]
        db.table("domains").insert(columns)
    with Catalogue(path) as catalogue:
        assert catalogue.domains.all() == [root]


SMALL, LARGE = "5" * 64, "6" * 64


def test_what_a_domain_knows_for_one_backbone_is_nothing_to_another(catalogue: Catalogue) -> None:
    small = catalogue.domains.change("films", SMALL, epoch=3, state="ready", encoder="e" * 64)
    large = catalogue.domains.change("films", LARGE, epoch=4, params={"alpha": 0.7})
    assert catalogue.domains.get("films", SMALL) == small
    assert catalogue.domains.get("films", LARGE) == large
    assert (small.epoch, small.encoder, small.params) == (3, "e" * 64, {})
    assert (large.epoch, large.encoder, large.params) == (4, None, {"alpha": 0.7})
    nothing = catalogue.domains.get("films", "7" * 64)
    assert (nothing.epoch, nothing.state, nothing.encoder) == (0, "empty", None)
    assert [row.epoch for row in catalogue.domains.all(LARGE)] == [0, 0, 4]
    assert catalogue.domains.known() == catalogue.domains.known("films") == [small, large]
    assert catalogue.domains.known("reviews") == []


def test_the_text_and_the_place_of_a_domain_are_the_same_for_every_backbone(
    catalogue: Catalogue,
) -> None:
    catalogue.domains.change("films", SMALL, epoch=1, corpus_lines=5, parent="general")
    seen = catalogue.domains.get("films", LARGE)
    assert (seen.corpus_lines, seen.parent, seen.epoch) == (5, "general", 0)


def test_epochs_of_a_domain_are_numbered_together(catalogue: Catalogue) -> None:
    assert catalogue.domains.next_epoch("films") == 1
    catalogue.domains.change("films", SMALL, epoch=1)
    assert catalogue.domains.next_epoch("films") == 2
    catalogue.domains.change("films", LARGE, epoch=2)
    assert catalogue.domains.next_epoch("films") == 3
    assert catalogue.domains.next_epoch("reviews") == 1


def test_a_removed_domain_is_forgotten_for_every_backbone(catalogue: Catalogue) -> None:
    for backbone in (SMALL, LARGE):
        catalogue.domains.change("films", backbone, encoder=backbone)
    catalogue.domains.remove("films")
    assert catalogue.domains.known() == []
    assert catalogue.blob_ids() == {"a" * 64}


@pytest.mark.parametrize("there", [False, True], ids=["nothing", "a rebuild since"])
def test_what_nobody_named_is_claimed_for_a_backbone(catalogue: Catalogue, *, there: bool) -> None:
    catalogue.domains.change("films", epoch=2, encoder="e" * 64)
    if there:
        catalogue.domains.change("films", SMALL, epoch=5)
    catalogue.domains.claim("films", SMALL)
    catalogue.domains.claim("films", LARGE)
    assert catalogue.domains.get("films").epoch == 0
    assert catalogue.domains.get("films", SMALL).epoch == (5 if there else 2)
    assert [row.backbone for row in catalogue.domains.known()] == [SMALL]


def parents(catalogue: Catalogue) -> dict[str, str | None]:
    return {row.name: row.parent for row in catalogue.domains.all()}


def test_a_domain_is_moved_with_all_that_hangs_below_it(
    catalogue: Catalogue, root: DomainRow
) -> None:
    catalogue.domains.add(replace(root, name="news", parent="general"))
    moved = catalogue.domains.change("reviews", parent="news")
    assert moved == catalogue.domains.get("reviews")
    names = [row.name for row in catalogue.domains.all()]
    assert names == ["general", "news", "reviews", "films"]
    catalogue.domains.change("films", parent="general")
    assert parents(catalogue) == {
        "general": None,
        "news": "general",
        "reviews": "news",
        "films": "general",
    }


@pytest.mark.parametrize(
    ("name", "parent", "error", "words"),
    [
        ("general", "films", InUse, 'root domain "general" cannot be moved'),
        ("films", "nowhere", NotFound, 'There is no domain "nowhere"'),
        ("nowhere", "films", NotFound, 'There is no domain "nowhere"'),
        ("films", "films", InUse, '"films" cannot hang below itself'),
        ("reviews", "films", InUse, '"films" hangs below "reviews"'),
    ],
)
def test_a_move_that_would_break_the_tree_is_refused_in_words(
    catalogue: Catalogue, name: str, parent: str, error: type[StoreError], words: str
) -> None:
    before = parents(catalogue)
    with pytest.raises(error, match=words) as caught:
        catalogue.domains.change(name, parent=parent)
    assert caught.value.remedy
    assert parents(catalogue) == before


def hang(catalogue: Catalogue, name: str, parent: str | None) -> None:
    """As no call does it: whatever comes of it."""
    with catalogue._connections.writing() as db:
        db.execute("update domains set parent = ? where name = ?", [parent, name])


@pytest.mark.parametrize(
    ("broken", "moved"),
    [
        ({}, []),
        ({"reviews": "reviews"}, ["reviews"]),
        ({"reviews": "films"}, ["films"]),
        ({"reviews": None}, ["reviews"]),
        ({"general": "general"}, ["general"]),
        ({"general": "films"}, ["general"]),
        ({"general": "films", "reviews": "films"}, ["general", "films"]),
    ],
    ids=["whole", "own parent", "ring", "second root", "own root", "root in ring", "both"],
)
def test_what_does_not_hang_from_the_root_is_hung_below_it(
    catalogue: Catalogue, root: DomainRow, broken: dict[str, str | None], moved: list[str]
) -> None:
    for name, parent in broken.items():
        hang(catalogue, name, parent)
    assert catalogue.domains.mend(root) == moved
    found = parents(catalogue)
    assert set(found) == {"general", "reviews", "films"}
    assert found["general"] is None
    assert all(found[name] == "general" for name in moved if name != "general")
    assert catalogue.domains.mend(root) == []


def test_a_tree_that_is_mended_keeps_its_branches(catalogue: Catalogue, root: DomainRow) -> None:
    catalogue.domains.add(replace(root, name="a", parent="reviews"))
    hang(catalogue, "reviews", None)
    assert catalogue.domains.mend(root) == ["reviews"]
    assert parents(catalogue)["a"] == "reviews"


def test_mending_an_empty_catalogue_makes_the_root(empty: Catalogue, root: DomainRow) -> None:
    assert empty.domains.mend(root) == []
    assert empty.domains.all() == [root]


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
