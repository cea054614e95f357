from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine.errors import NotFound
from engine.knowledge.build import BuildReport, compute_rows
from engine.knowledge.retrieve import Damage, retrieve
from engine.knowledge.tree import DomainTree
from engine.knowledge.view import MISS, TableView
from engine.model.backbone import Backbone
from engine.model.ngram_encoder import NgramEncoder
from engine.model.ngrams import Keys, pack, trigrams
from store.rows import DomainRow
from store.tables import TableFiles

Publish = Callable[..., BuildReport]
Row = Callable[..., DomainRow]
LINES = {
    "general": ["the film was very good", "it is late"],
    "shop": ["my order is late , please refund"],
    "returns": ["refund my money back please"],
}


@pytest.fixture
def tree(tables: TableFiles, encoder: NgramEncoder, publish: Publish, row: Row) -> DomainTree:
    """general <- shop <- returns, each with a table of its own, and films without one."""
    grown = DomainTree(tables, encoder)
    grown.load([row("general", None), row("films", "general")])
    for name, parent in (("general", None), ("shop", "general"), ("returns", "shop")):
        grown.put(row(name, parent))
        publish(name, 1, LINES[name], grown.inherited(name))
        grown.put(row(name, parent, epoch=1))
    return grown


def _keys(text: str, backbone: Backbone, encoder: NgramEncoder) -> Keys:
    ids = np.array(backbone.tokenize([text])[0], dtype=np.int64)
    return pack(trigrams(ids, np.array([len(ids)]), encoder.boundary))


def _sees(tree: DomainTree, domain: str, keys: Keys) -> bool:
    return bool((tree.take(domain).view.find(keys) != MISS).all())


def _domains(view: TableView) -> list[str]:
    return [segment.domain for segment in view.segments]


def test_a_node_sees_its_own_rows_and_its_ancestors_but_not_its_childrens(
    tree: DomainTree, backbone: Backbone, encoder: NgramEncoder
) -> None:
    general, shop, returns = (
        _keys(LINES[name][0], backbone, encoder) for name in ("general", "shop", "returns")
    )
    assert all(_sees(tree, "returns", keys) for keys in (general, shop, returns))
    assert all(_sees(tree, "shop", keys) for keys in (general, shop))
    assert not _sees(tree, "shop", returns)
    assert _sees(tree, "films", general)
    assert not _sees(tree, "films", shop)
    assert _domains(tree.take("returns").view) == ["returns", "shop", "general"]
    assert _domains(tree.inherited("returns")) == ["shop", "general"]
    assert tree.own("films") is None


def test_a_tree_loaded_at_start_sees_what_the_one_that_published_saw(
    tree: DomainTree, tables: TableFiles, encoder: NgramEncoder
) -> None:
    again = DomainTree(tables, encoder)
    again.load(list(tree._rows.values()))
    for name in ("general", "films", "shop", "returns"):
        old, new = tree.take(name), again.take(name)
        keys, counts, _, rows = old.view.used()
        assert new.epoch == old.epoch
        assert np.array_equal(new.view.used()[0], keys)
        assert np.array_equal(new.view.used()[1], counts)
        assert np.array_equal(new.view.gather(new.view.find(keys)), old.view.gather(rows))
        assert np.array_equal(old.view.gather(rows), compute_rows(encoder, keys))


def test_an_unknown_domain_is_named(tree: DomainTree) -> None:
    with pytest.raises(NotFound, match='"nowhere"') as caught:
        tree.take("nowhere")
    assert "hmi domain ls" in caught.value.remedy


def test_removing_a_node_hands_its_children_up_and_its_rows_go(
    tree: DomainTree, backbone: Backbone, encoder: NgramEncoder, row: Row
) -> None:
    tree.put(row("parcels", "returns"))
    shop = _keys(LINES["shop"][0], backbone, encoder)
    assert _sees(tree, "parcels", shop)
    tree.remove("shop")
    with pytest.raises(NotFound):
        tree.take("shop")
    assert tree._rows["returns"].parent == "general"
    assert _domains(tree.take("returns").view) == ["returns", "general"]
    assert _domains(tree.take("parcels").view) == ["returns", "general"]
    assert not _sees(tree, "parcels", shop)
    assert set(tree.traffic) == {"general", "films", "returns", "parcels"}


def test_a_node_without_news_keeps_its_view_and_its_counters(tree: DomainTree, row: Row) -> None:
    films, shop = tree.take("films").view, tree.take("shop").view
    tree.traffic["films"].hits = 7
    tree.put(row("shop", "general", epoch=1))
    assert tree.take("films").view is films
    assert tree.take("shop").view is not shop
    assert tree.traffic["films"].hits == 7


def test_a_damaged_table_is_marked_and_all_domains_that_do_not_need_it_go_on(
    tree: DomainTree, tables: TableFiles, encoder: NgramEncoder
) -> None:
    rows = tables.folder("shop", 1) / "rows.npy"
    rows.write_bytes(rows.read_bytes()[:-1])
    again = DomainTree(tables, encoder)
    again.load(list(tree._rows.values()))
    damage = again.take("shop").damage
    assert damage is not None
    assert damage.code == "table_damaged"
    assert '"shop"' in damage.detail
    assert str(rows) in damage.detail
    assert "hmi domain rebuild shop" in damage.remedy
    assert again.take("returns").damage == damage
    for name in ("general", "films"):
        assert again.take(name).damage is None
    assert again.take("general").view.entries > 0


def test_a_rebuilt_table_heals_the_node_and_its_children(
    tree: DomainTree, tables: TableFiles, encoder: NgramEncoder, publish: Publish, row: Row
) -> None:
    (tables.folder("shop", 1) / "manifest.json").write_text("{")
    again = DomainTree(tables, encoder)
    again.load(list(tree._rows.values()))
    assert again.take("returns").damage is not None
    publish("shop", 2, LINES["shop"], again.inherited("shop"))
    again.put(row("shop", "general", epoch=2))
    assert again.take("shop").damage is None
    assert again.take("returns").damage is None
    assert _domains(again.take("returns").view) == ["returns", "shop", "general"]


def test_a_table_that_another_encoder_made_is_refused_not_served(
    tree: DomainTree, tables: TableFiles, backbone: Backbone, encoder: NgramEncoder
) -> None:
    other = NgramEncoder(backbone).eval().requires_grad_(requires_grad=False)
    assert other.fingerprint() != encoder.fingerprint()
    again = DomainTree(tables, other)
    again.load(list(tree._rows.values()))
    damage = again.take("general").damage
    assert damage is not None
    assert "another n-gram encoder" in damage.detail
    assert again.take("general").view.entries == 0


def test_without_a_fitting_encoder_no_domain_can_serve(
    tree: DomainTree, tables: TableFiles, encoder: NgramEncoder
) -> None:
    why = Damage("There is no n-gram encoder.", "Ask in exact mode.", "no_encoder")
    again = DomainTree(tables, encoder, why)
    again.load(list(tree._rows.values()))
    assert {again.take(name).damage for name in ("general", "films", "returns")} == {why}


def test_the_rows_of_an_old_epoch_stay_readable_after_its_table_is_removed(
    tree: DomainTree, tables: TableFiles, encoder: NgramEncoder, publish: Publish, row: Row
) -> None:
    held = tree.take("shop")
    publish("shop", 2, [*LINES["shop"], *LINES["returns"]], tree.inherited("shop"))
    tree.put(row("shop", "general", epoch=2))
    tables.remove("shop", 1)
    assert not Path(tables.folder("shop", 1)).exists()
    keys, _, _, rows = held.view.used()
    assert np.array_equal(held.view.gather(rows), compute_rows(encoder, keys))
    assert held.epoch == 1
    assert tree.take("shop").epoch == 2
    assert tree.take("shop").view.entries > held.view.entries


def test_a_batch_sees_one_epoch_while_another_is_published(
    tree: DomainTree,
    tables: TableFiles,
    backbone: Backbone,
    encoder: NgramEncoder,
    publish: Publish,
    row: Row,
) -> None:
    """Odd epochs hold one line, even ones the other: a mixture of the two would show."""
    texts = [LINES["shop"][0], LINES["returns"][0]]
    first, second = (_keys(text, backbone, encoder) for text in texts)
    only = [np.setdiff1d(first, second), np.setdiff1d(second, first)]
    rows = backbone.tokenize(texts)
    ids = np.array([t for r in rows for t in r], dtype=np.int64)
    lengths = np.array([len(r) for r in rows], dtype=np.int64)
    expected = compute_rows(encoder, pack(trigrams(ids, lengths, encoder.boundary)))
    tree.put(row("news", "films"))
    publish("news", 1, texts[:1], tree.inherited("news"))
    tree.put(row("news", "films", epoch=1))
    reading = threading.Barrier(2)
    done = threading.Event()
    wrong: list[str] = []
    epochs: set[int] = set()

    def read() -> None:
        reading.wait(10)
        while not done.is_set():
            knowledge = tree.take("news")
            epochs.add(knowledge.epoch)
            found = retrieve(ids, lengths, knowledge)
            if not np.array_equal(found.rows[found.which].numpy(), expected):
                wrong.append(f"rows of epoch {knowledge.epoch}")
            here, there = (bool((knowledge.view.find(k) != MISS).any()) for k in only)
            if (here, there) != ((True, False) if knowledge.epoch % 2 else (False, True)):
                wrong.append(f"epoch {knowledge.epoch} shows {here}, {there}")

    reader = threading.Thread(target=read)
    reader.start()
    reading.wait(10)
    for epoch in range(2, 9):
        publish("news", epoch, [texts[(epoch + 1) % 2]], tree.inherited("news"))
        tree.put(row("news", "films", epoch=epoch))
        tables.remove("news", epoch - 1)
    done.set()
    reader.join(10)
    assert not reader.is_alive()
    assert wrong == []
    assert epochs
