from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine.errors import NotFound
from engine.knowledge.build import BuildReport, compute_rows
from engine.knowledge.hplm import Hplm
from engine.knowledge.retrieve import Damage, retrieve
from engine.knowledge.tree import DomainTree
from engine.knowledge.view import MISS, TableView
from engine.model.backbone import Backbone
from engine.model.bridge import Bridge
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
def tree(tables: TableFiles, hplm: Hplm, publish: Publish, row: Row) -> DomainTree:
    """general <- shop <- returns, each with a table of its own, and films without one."""
    grown = DomainTree(tables, hplm)
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
    inherited = tree.inherited("returns")
    assert inherited is tree.take("shop")
    assert tree.inherited("general") is None
    assert tree.own("films") is None


def test_a_tree_loaded_at_start_sees_what_the_one_that_published_saw(
    tree: DomainTree, tables: TableFiles, hplm: Hplm
) -> None:
    again = DomainTree(tables, hplm)
    again.load(list(tree._rows.values()))
    for name in ("general", "films", "shop", "returns"):
        old, new = tree.take(name), again.take(name)
        keys, counts, _, rows = old.view.used()
        assert new.epoch == old.epoch
        assert np.array_equal(new.view.used()[0], keys)
        assert np.array_equal(new.view.used()[1], counts)
        assert np.array_equal(new.view.gather(new.view.find(keys)), old.view.gather(rows))
        assert np.array_equal(old.view.gather(rows), compute_rows(hplm.encoder, keys))


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


def test_a_node_without_news_keeps_its_view_and_its_counters(
    tree: DomainTree, publish: Publish, row: Row
) -> None:
    films, shop = tree.take("films").view, tree.take("shop").view
    tree.traffic["films"].hits = 7
    tree.put(row("shop", "general", epoch=1))
    assert tree.take("shop").view is shop
    publish("shop", 2, LINES["shop"], tree.inherited("shop"))
    tree.put(row("shop", "general", epoch=2))
    assert tree.take("films").view is films
    assert tree.take("shop").view is not shop
    assert tree.traffic["films"].hits == 7


def test_a_damaged_table_is_marked_and_all_domains_that_do_not_need_it_go_on(
    tree: DomainTree, tables: TableFiles, hplm: Hplm
) -> None:
    rows = tables.folder("shop", 1) / "rows.npy"
    rows.write_bytes(rows.read_bytes()[:-1])
    again = DomainTree(tables, hplm)
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
    tree: DomainTree, tables: TableFiles, hplm: Hplm, publish: Publish, row: Row
) -> None:
    (tables.folder("shop", 1) / "manifest.json").write_text("{")
    again = DomainTree(tables, hplm)
    again.load(list(tree._rows.values()))
    assert again.take("returns").damage is not None
    publish("shop", 2, LINES["shop"], again.inherited("shop"))
    again.put(row("shop", "general", epoch=2))
    assert again.take("shop").damage is None
    assert again.take("returns").damage is None
    assert _domains(again.take("returns").view) == ["returns", "shop", "general"]


def test_a_condemned_table_serves_no_more_until_the_next_epoch(
    tree: DomainTree, publish: Publish, row: Row
) -> None:
    assert not tree.condemn("shop", 2, "rows.npy is not what it was.")
    assert not tree.condemn("nowhere", 1, "rows.npy is not what it was.")
    assert tree.take("shop").damage is None
    assert tree.condemn("shop", 1, "rows.npy is not what it was.")
    for name in ("shop", "returns"):
        damage = tree.take(name).damage
        assert damage is not None
        assert '"shop"' in damage.detail
        assert "rows.npy is not what it was." in damage.detail
    tree.put(row("shop", "films", epoch=1))
    assert tree.take("shop").damage is not None
    assert tree.take("films").damage is None
    publish("shop", 2, LINES["shop"], tree.inherited("shop"))
    tree.put(row("shop", "films", epoch=2))
    assert tree.take("shop").damage is None
    assert _domains(tree.take("returns").view) == ["returns", "shop", "general"]


def test_a_domain_made_anew_is_not_condemned_for_the_old(tree: DomainTree, row: Row) -> None:
    tree.condemn("returns", 1, "rows.npy is not what it was.")
    tree.remove("returns")
    tree.put(row("returns", "shop", epoch=1))
    assert tree.take("returns").damage is None


def test_a_table_that_another_encoder_made_is_stale_and_left_out(
    tree: DomainTree, tables: TableFiles, backbone: Backbone, hplm: Hplm, publish: Publish, row: Row
) -> None:
    publish("films", 1, LINES["general"], made_by=NgramEncoder(backbone, (8,)).freeze())
    tree.put(row("films", "general", epoch=1))
    assert tree.stale("films")
    assert tree.own("films") is None
    films = tree.take("films")
    assert films.damage is None
    assert _domains(films.view) == ["general"]
    assert not any(tree.stale(name) for name in ("general", "shop", "returns"))
    publish("films", 2, LINES["returns"], tree.inherited("films"))
    tree.put(row("films", "general", epoch=2))
    assert not tree.stale("films")
    assert _domains(tree.take("films").view) == ["films", "general"]


def test_another_root_makes_every_table_of_the_old_one_stale(
    tree: DomainTree, backbone: Backbone, hplm: Hplm, publish: Publish, row: Row
) -> None:
    before = tree.take("returns")
    trained = Hplm(NgramEncoder(backbone, (8,)), Bridge(backbone, (8,))).freeze()
    publish("general", 2, LINES["general"], made_by=trained.encoder)
    tree.put(row("general", None, epoch=2), trained)
    assert tree.general is trained
    assert {name: tree.stale(name) for name in tree.traffic} == {
        "general": False,
        "films": False,
        "shop": True,
        "returns": True,
    }
    for name in tree.traffic:
        now = tree.take(name)
        assert (now.encoder, now.bridge) == (trained.encoder, trained.bridge)
        assert _domains(now.view) == ["general"]
        keys, _, _, rows = now.view.used()
        assert np.array_equal(now.view.gather(rows), compute_rows(trained.encoder, keys))
    # A batch that was formed before goes on with what it holds.
    assert (before.encoder, before.bridge) == (hplm.encoder, hplm.bridge)
    assert _domains(before.view) == ["returns", "shop", "general"]


def test_a_root_that_was_trained_heals_a_tree_without_an_encoder(
    tables: TableFiles, hplm: Hplm, row: Row
) -> None:
    why = Damage("There is no n-gram encoder.", "Ask in exact mode.", "no_encoder")
    tree = DomainTree(tables, Hplm(hplm.encoder, hplm.bridge), why)
    tree.load([row("general", None), row("films", "general")])
    assert tree.take("films").damage == why
    tree.put(row("general", None), hplm)
    assert tree.take("films").damage is None
    assert tree.take("general").damage is None


def test_without_a_fitting_encoder_no_domain_can_serve(
    tree: DomainTree, tables: TableFiles, hplm: Hplm
) -> None:
    why = Damage("There is no n-gram encoder.", "Ask in exact mode.", "no_encoder")
    again = DomainTree(tables, hplm, why)
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


def _count(tree: DomainTree, domain: str, keys: Keys, times: int) -> None:
    """As lookups are counted."""
    knowledge = tree.take(domain)
    rows = knowledge.view.find(keys)
    each = np.full(len(keys), times, dtype=np.int64)
    knowledge.view.count(rows[rows != MISS], each[rows != MISS])
    knowledge.traffic.add_missed(keys[rows == MISS], each[rows == MISS])


def _times(tree: DomainTree, domain: str, keys: Keys) -> list[int]:
    """How often `keys` are known to have been asked for in a domain, each differently often."""
    knowledge = tree.take(domain)
    asked = knowledge.traffic.asked(knowledge.view)
    known = dict(zip(asked.keys.tolist(), asked.times.tolist(), strict=True))
    return sorted({known.get(int(key), 0) for key in keys})


def test_an_update_keeps_the_counts_of_rows_that_stay_and_halves_them(
    tree: DomainTree, backbone: Backbone, encoder: NgramEncoder, publish: Publish, row: Row
) -> None:
    own = _keys(LINES["shop"][0], backbone, encoder)
    new = np.setdiff1d(_keys("thanks , the parcel is late", backbone, encoder), own)
    _count(tree, "shop", own, 8)
    _count(tree, "shop", new, 6)
    _count(tree, "returns", own, 5)
    publish("shop", 2, [*LINES["shop"], "thanks , the parcel is late"], tree.inherited("shop"))
    tree.put(row("shop", "general", epoch=2))
    view = tree.take("shop").view
    assert set(view.hits[view.find(own)].tolist()) == {4}
    assert set(view.hits[view.find(new)].tolist()) == {3}
    below = tree.take("returns").view
    assert set(below.hits[below.find(own)].tolist()) == {5}


def test_what_is_asked_for_is_not_forgotten_when_the_table_that_had_it_is_gone(
    tree: DomainTree, backbone: Backbone, encoder: NgramEncoder
) -> None:
    shop = _keys(LINES["shop"][0], backbone, encoder)
    _count(tree, "returns", shop, 7)
    tree.remove("shop")
    assert _times(tree, "returns", shop) == [7]
    assert tree.take("returns").traffic.asked(tree.take("returns").view).lookups == 7 * len(shop)
