"""Nodes with an n-gram encoder of their own."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
import pytest
import torch

from engine.knowledge.build import BuildReport, compute_rows
from engine.knowledge.hplm import Hplm
from engine.knowledge.hplms import Hplms
from engine.knowledge.retrieve import Knowledge, retrieve
from engine.knowledge.row_cache import RowCache
from engine.knowledge.tree import DomainTree
from engine.model.backbone import Backbone
from engine.model.ngrams import Keys, pack, trigrams
from store.errors import NotFound
from store.rows import DomainRow
from store.tables import TableFiles

Publish = Callable[..., BuildReport]
Row = Callable[..., DomainRow]
GENERAL = "the film was very good"
SHOP = "my order was very late"
RETURNS = "refund my money back please"


class Blobs:
    """Own hPLMs by blob id."""

    def __init__(self, backbone: Backbone) -> None:
        self.hplms = {
            blob: Hplm.untrained(backbone, widths).freeze()
            for blob, widths in (("shops", (8,)), ("news", (16,)))
        }
        self.encoders = {blob: hplm.encoder for blob, hplm in self.hplms.items()}
        self.read_times = 0

    def read(self, blob: str) -> Hplm:
        if blob not in self.hplms:
            raise NotFound(f"There is no blob {blob}.")
        self.read_times += 1
        return self.hplms[blob]


@pytest.fixture
def blobs(backbone: Backbone) -> Blobs:
    return Blobs(backbone)


@pytest.fixture
def tree(tables: TableFiles, hplm: Hplm, blobs: Blobs, publish: Publish, row: Row) -> DomainTree:
    """general <- shop, which has its own encoder <- returns, each with a table."""
    grown = DomainTree(tables, hplm, None, RowCache(1 << 20, 32), blobs.read)
    grown.load([row("general", None)])
    for name, parent, encoder, line in (
        ("general", None, None, GENERAL),
        ("shop", "general", "shops", SHOP),
        ("returns", "shop", None, RETURNS),
    ):
        grown.put(row(name, parent, encoder=encoder))
        made_by = grown.take(name).encoder
        publish(name, 1, [line], grown.inherited(name), made_by=made_by)
        grown.put(row(name, parent, 1, encoder))
    return grown


def _ids(text: str, backbone: Backbone) -> tuple[Keys, Keys]:
    ids = np.array(backbone.tokenize([text])[0], dtype=np.int64)
    return ids, np.array([len(ids)])


def _rows(text: str, knowledge: Knowledge, backbone: Backbone) -> tuple[torch.Tensor, Keys]:
    """Each token's row, and its key."""
    ids, lengths = _ids(text, backbone)
    found = retrieve(ids, lengths, knowledge)
    keys = pack(trigrams(ids, lengths, knowledge.encoder.boundary))
    return found.rows[found.which], keys


def test_a_node_is_served_by_its_own_encoder_and_its_children_by_the_nearest(
    tree: DomainTree, hplm: Hplm, blobs: Blobs, row: Row
) -> None:
    tree.put(row("films", "general"))
    own = blobs.encoders["shops"]
    used = {name: tree.take(name).encoder for name in ("general", "films", "shop", "returns")}
    assert used == {"general": hplm.encoder, "films": hplm.encoder, "shop": own, "returns": own}
    below = {name: tree.take(name).bridge for name in used}
    assert below["shop"] is below["returns"] is blobs.hplms["shops"].bridge
    assert below["general"] is below["films"] is hplm.bridge
    assert not any(tree.stale(name) for name in used)


def test_its_own_ngrams_have_rows_of_its_own_encoder_also_where_an_ancestor_has_them(
    tree: DomainTree, backbone: Backbone, hplm: Hplm, blobs: Blobs
) -> None:
    general, shop = tree.own("general"), tree.own("shop")
    assert general is not None
    assert shop is not None
    both = np.intersect1d(general.keys, shop.keys)
    assert both.size
    view = tree.take("shop").view
    expected = compute_rows(blobs.encoders["shops"], both)
    assert np.array_equal(view.gather(view.find(both)), expected)
    assert (expected != compute_rows(hplm.encoder, both)).any(axis=1).all()
    rows, keys = _rows(SHOP, tree.take("shop"), backbone)
    assert np.array_equal(rows.numpy(), compute_rows(blobs.encoders["shops"], keys))


def test_what_it_lacks_is_computed_by_its_own_encoder_though_an_ancestor_has_a_row(
    tree: DomainTree, backbone: Backbone, blobs: Blobs
) -> None:
    shop = tree.take("shop")
    rows, keys = _rows(GENERAL, shop, backbone)
    assert not np.isin(keys, shop.view.segments[0].keys).all()
    assert np.array_equal(rows.numpy(), compute_rows(blobs.encoders["shops"], keys))


def test_with_a_threshold_an_ancestors_row_shows_through(
    tree: DomainTree, backbone: Backbone, hplm: Hplm, row: Row
) -> None:
    tree.put(row("shop", "general", 1, "shops", threshold=0.1))
    shop = tree.take("shop")
    rows, keys = _rows(GENERAL, shop, backbone)
    inherited = ~np.isin(keys, shop.view.segments[0].keys)
    assert inherited.any()
    assert np.array_equal(rows[inherited].numpy(), compute_rows(hplm.encoder, keys[inherited]))


def test_a_miss_is_computed_by_the_nodes_encoder_and_cached_for_nobody_elses(
    tree: DomainTree, backbone: Backbone, hplm: Hplm, blobs: Blobs
) -> None:
    text = "dull plot !"
    for _ in range(2):
        for name, encoder in (("general", hplm.encoder), ("shop", blobs.encoders["shops"])):
            rows, keys = _rows(text, tree.take(name), backbone)
            assert np.array_equal(rows.numpy(), compute_rows(encoder, keys))
    ids = _ids(text, backbone)
    assert retrieve(*ids, tree.take("returns")).cached.all(), "children share its encoder"


def test_a_table_of_its_ancestors_encoder_is_stale_below_its_own(
    tree: DomainTree, row: Row
) -> None:
    """Its encoder was trained after its child's table was built."""
    tree.put(row("returns", "shop", 1, "news"))
    assert tree.stale("returns")
    assert not tree.take("returns").view.segments
    tree.put(row("returns", "shop", 1))
    assert [s.domain for s in tree.take("returns").view.segments] == ["returns", "shop"]
    assert not tree.stale("returns")


def test_moving_a_node_below_another_encoder_makes_its_table_stale(
    tree: DomainTree, row: Row, hplm: Hplm
) -> None:
    tree.put(row("returns", "general", 1))
    assert tree.stale("returns")
    assert tree.take("returns").encoder is hplm.encoder
    tree.put(row("returns", "shop", 1))
    assert not tree.stale("returns")
    tree.remove("shop")
    assert tree.stale("returns")
    assert tree.take("returns").encoder is hplm.encoder


def test_an_encoder_that_cannot_be_used_leaves_the_inherited_one_and_a_stale_table(
    tree: DomainTree, row: Row, hplm: Hplm, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        tree.put(row("shop", "general", 1, "lost-and-gone"))
    assert "lost-and-gon" in caplog.text
    assert tree.take("shop").encoder is hplm.encoder
    assert tree.take("shop").damage is None
    assert tree.stale("shop")
    assert tree.stale("returns")


def test_a_root_trained_again_leaves_own_encoders_and_their_tables_as_they_were(
    tree: DomainTree, row: Row, backbone: Backbone, blobs: Blobs
) -> None:
    trained = Hplm.untrained(backbone, (24,)).freeze()
    tree.put(row("general", None, 1), trained)
    assert tree.take("general").encoder is trained.encoder
    assert tree.stale("general")
    for name in ("shop", "returns"):
        assert tree.take(name).encoder is blobs.encoders["shops"]
        assert not tree.stale(name)


def test_an_encoder_is_read_once_and_no_number_comes_twice(hplm: Hplm, blobs: Blobs) -> None:
    known = Hplms(hplm, blobs.read)
    shops, again, nearest = (known.of(line) for line in (["shops"], ["shops"], ["shops", "news"]))
    assert shops is again is nearest
    assert blobs.read_times == 1
    assert known.of(["gone", "news"]).hplm is blobs.hplms["news"]
    before = [known.of(line).number for line in ([], ["shops"], ["news"])]
    known.put_general(hplm)
    after = [known.of(line).number for line in ([], ["shops"], ["news"])]
    assert after[1:] == before[1:]
    assert len({*before, *after}) == 4


def test_those_that_are_loaded_are_told_while_another_comes(hplm: Hplm, blobs: Blobs) -> None:
    known = Hplms(hplm, blobs.read)

    class Looked:
        @property
        def hplm(self) -> Hplm:
            return known.of(["news"]).hplm

    known._own["shops"] = Looked()  # type: ignore[assignment]
    assert known.loaded() == [hplm, blobs.hplms["news"]]


def test_what_no_node_uses_any_more_is_let_go(tree: DomainTree, hplm: Hplm, row: Row) -> None:
    assert len(tree.hplms()) == 2
    tree.put(row("shop", "general", 1))
    assert tree.hplms() == [hplm]
