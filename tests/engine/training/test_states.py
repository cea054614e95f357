from __future__ import annotations

import torch

from engine.knowledge.hplm import Hplm
from engine.knowledge.retrieve import Damage, Knowledge
from engine.knowledge.view import TableView
from engine.model.backbone import Backbone
from engine.model.reading import read_texts
from engine.training.states import StateCache, packed

TEXTS = ["a good film", "the plot was dull, very dull", "refund", "my card is not back please"]


def test_kept_and_computed_states_are_the_same(
    backbone: Backbone, hplm: Hplm, empty_view: TableView
) -> None:
    knowledge = Knowledge("general", 0, empty_view, hplm.encoder, hplm.bridge)
    rows = read_texts(backbone, TEXTS)
    shares: list[float] = []
    all_kept = StateCache(backbone, knowledge, rows, 1 << 20, shares.append)
    none_kept = StateCache(backbone, knowledge, rows, 0, shares.append)
    some_kept = StateCache(backbone, knowledge, rows, 600, shares.append)
    assert shares[-1] == 1.0
    assert [len(c._kept) for c in (all_kept, none_kept)] == [4, 0]
    assert 0 < len(some_kept._kept) < 4
    which = [2, 0, 3, 1]
    kept, packing = packed(all_kept.states(which), backbone)
    assert packing.lengths.tolist() == [len(rows[i].ids) for i in which]
    for cache in (none_kept, some_kept):
        computed, _ = packed(cache.states(which), backbone)
        # Kept states are rounded to float16.
        torch.testing.assert_close(kept, computed, rtol=2e-3, atol=2e-3)


def test_exact_states_are_the_backbones_own(
    backbone: Backbone, hplm: Hplm, empty_view: TableView
) -> None:
    knowledge = Knowledge("general", 0, empty_view, hplm.encoder, hplm.bridge)
    rows = read_texts(backbone, TEXTS)
    cache = StateCache(backbone, knowledge, rows, 0, lambda _: None, exact=True)
    states, packing = packed(cache.states(range(4)), backbone)
    ids = torch.tensor([t for row in rows for t in row.ids])
    torch.testing.assert_close(states, backbone.lower(ids, packing), rtol=1e-5, atol=1e-5)


def test_where_nobody_may_be_served_from_the_tables_all_states_are_exact(
    backbone: Backbone, hplm: Hplm, empty_view: TableView
) -> None:
    damage = Damage("no encoder", "distil one", "no_encoder")
    knowledge = Knowledge("general", 0, empty_view, hplm.encoder, hplm.bridge, damage)
    rows = read_texts(backbone, TEXTS)
    told, exact = (
        StateCache(backbone, knowledge, rows, 0, lambda _: None, exact=way) for way in (False, True)
    )
    assert torch.equal(*(packed(cache.states(range(4)), backbone)[0] for cache in (told, exact)))
