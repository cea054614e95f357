from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.knowledge import retrieve as retrieving
from engine.knowledge.build import BuildReport, compute_rows
from engine.knowledge.hplm import Hplm
from engine.knowledge.index import MISS
from engine.knowledge.retrieve import Asked, Knowledge, MissPolicy, retrieve, retrieve_all
from engine.knowledge.retrieved import Retrieved, together
from engine.knowledge.row_cache import RowCache
from engine.knowledge.view import Segment, TableView
from engine.model.backbone import Backbone
from engine.model.bridge import Bridge
from engine.model.ngram_encoder import NgramEncoder
from engine.model.ngrams import order, pack, shortened_keys, trigrams, unpack
from engine.model.packing import Packing
from engine.model.rows import row_bytes
from store.tables import TableFiles

TEXTS = [
    "the film was very good",
    "my order is late , please refund my card",
    "great great great",
    "the film was very good",
    "!",
]
Serve = Callable[[TableView], Knowledge]


def _pack(backbone: Backbone, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    rows = backbone.tokenize(texts)
    ids = np.array([t for row in rows for t in row], dtype=np.int64)
    return ids, np.array([len(row) for row in rows], dtype=np.int64)


@pytest.fixture
def serve(hplm: Hplm) -> Serve:
    """A domain's knowledge with some table."""

    def over(view: TableView) -> Knowledge:
        return Knowledge("reviews", 1, view, hplm.encoder, hplm.bridge)

    return over


def _table_of(keys: np.ndarray, encoder: NgramEncoder) -> TableView:
    keys = np.unique(keys)
    segment = Segment("reviews", 1, keys, compute_rows(encoder, keys), np.ones(len(keys), np.int64))
    return TableView("reviews", (segment,), encoder.shape.hidden)


def _per_token(found: Retrieved) -> torch.Tensor:
    return found.rows[found.which]


@pytest.fixture
def stored(publish: Callable[..., BuildReport], tables: TableFiles, corpus: list[str]) -> TableView:
    """The view of a table that the real builder wrote and the real store opened."""
    publish("reviews", 1, corpus, alpha=0.6)
    table = tables.open("reviews", 1, verify=True)
    counts = np.asarray(table.arrays["counts"], dtype=np.int64)
    return TableView("reviews", (Segment("reviews", 1, table.keys, table.rows, counts),), 32)


def test_a_table_hit_equals_a_computed_miss_to_the_last_bit(
    stored: TableView, empty_view: TableView, serve: Serve, backbone: Backbone, threads: int
) -> None:
    ids, lengths = _pack(backbone, TEXTS)
    with_table = retrieve(ids, lengths, serve(stored))
    without = retrieve(ids, lengths, serve(empty_view))
    assert with_table.hit.any()
    assert not with_table.hit.all()
    assert not without.hit.any()
    assert torch.equal(_per_token(with_table), _per_token(without))
    packing = Packing.of(lengths.tolist())
    states = [serve(stored).assemble(found, packing) for found in (with_table, without)]
    assert torch.equal(*states)


def test_at_the_bundled_shape_too_a_table_hit_equals_a_computed_miss_to_the_last_bit(
    bundled: Backbone, tmp_path: Path, threads: int
) -> None:
    """The table is built on one thread by an encoder that met the tokens in another order."""
    text = "A film that was good, though my order came late; the plot is thin."
    ids, lengths = _pack(bundled, [text, "the film was good"])
    builder, server = (NgramEncoder(bundled).freeze() for _ in range(2))
    keys = np.unique(pack(trigrams(ids, lengths, builder.boundary)))
    with TableFiles(tmp_path).writer("reviews", 1, (row_bytes(384),), np.int8) as writer:
        torch.set_num_threads(1)
        writer.append(keys[::2], compute_rows(builder, keys[::2][::-1].copy())[::-1])
        writer.commit()
    torch.set_num_threads(threads)
    table = TableFiles(tmp_path).open("reviews", 1)
    counts = np.ones(len(table.keys), np.int64)
    view = TableView("reviews", (Segment("reviews", 1, table.keys, table.rows, counts),), 384)
    bridge = Bridge(bundled).freeze()
    with_table = retrieve(ids, lengths, Knowledge("reviews", 1, view, server, bridge))
    empty = TableView("reviews", (), 384)
    without = retrieve(ids, lengths, Knowledge("reviews", 1, empty, server, bridge))
    assert 0 < with_table.hit.sum() < len(ids)
    assert not without.hit.any()
    assert torch.equal(_per_token(with_table), _per_token(without))


def test_a_text_gets_the_same_rows_alone_as_in_company(
    stored: TableView, serve: Serve, backbone: Backbone
) -> None:
    knowledge = serve(stored)
    together = _per_token(retrieve(*_pack(backbone, TEXTS), knowledge))
    alone = [_per_token(retrieve(*_pack(backbone, [text]), knowledge)) for text in TEXTS]
    assert torch.equal(together, torch.cat(alone))


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.lists(st.integers(0, 6), min_size=1, max_size=6), min_size=1, max_size=5),
    st.data(),
)
def test_every_token_gets_the_row_of_its_own_ngram_whatever_the_table_holds(
    serve: Serve, encoder: NgramEncoder, texts: list[list[int]], data: st.DataObject
) -> None:
    ids = np.array([t for text in texts for t in text], dtype=np.int64)
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    keys = pack(trigrams(ids, lengths, encoder.boundary))
    held = data.draw(st.lists(st.sampled_from(keys.tolist()), max_size=8))
    view = _table_of(np.array(held, dtype=np.int64), encoder)
    found = retrieve(ids, lengths, serve(view))
    assert np.array_equal(found.hit, np.isin(keys, held))
    assert not found.backed_off.any()
    assert np.array_equal(_per_token(found).numpy(), compute_rows(encoder, keys))


def test_each_distinct_ngram_is_computed_once_and_known_ones_never(
    serve: Serve, encoder: NgramEncoder, backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids, lengths = _pack(backbone, TEXTS * 3)
    keys = pack(trigrams(ids, lengths, encoder.boundary))
    distinct = np.unique(keys)
    view = _table_of(distinct[::2], encoder)
    computed: list[int] = []

    def spy(used: NgramEncoder, wanted: np.ndarray) -> np.ndarray:
        computed.extend(wanted.tolist())
        return compute_rows(used, wanted)

    monkeypatch.setattr(retrieving, "compute_rows", spy)
    found = retrieve(ids, lengths, serve(view))
    assert sorted(computed) == distinct[1::2].tolist()
    assert found.rows.shape[0] == len(distinct)
    assert view.hits.sum() == np.isin(keys, distinct[::2]).sum()


def test_back_off_takes_the_bigram_then_the_unigram_then_computes_that_once(
    serve: Serve, encoder: NgramEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Four texts of one centre token 8, in four companies.
    texts = [[5, 8, 6], [5, 8, 7], [9, 8, 6], [9, 8, 7]]
    ids = np.array([t for text in texts for t in text], dtype=np.int64)
    lengths = np.array([3] * 4, dtype=np.int64)
    keys = pack(trigrams(ids, lengths, encoder.boundary))
    centres = keys.reshape(4, 3)[:, 1]
    bigram_of_6 = shortened_keys(centres[:1])
    view = _table_of(np.concatenate([centres[:1], bigram_of_6]), encoder)
    computed: list[int] = []

    def spy(used: NgramEncoder, wanted: np.ndarray) -> np.ndarray:
        computed.extend(wanted.tolist())
        return compute_rows(used, wanted)

    monkeypatch.setattr(retrieving, "compute_rows", spy)
    found = retrieve(ids, lengths, serve(view), "backoff")
    rows = _per_token(found).reshape(4, 3, -1)[:, 1].numpy()
    unigram = shortened_keys(shortened_keys(centres[1:2]))
    expected = np.concatenate([centres[:1], unigram, bigram_of_6, unigram])
    assert np.array_equal(rows, compute_rows(encoder, expected))
    middle = found.hit.reshape(4, 3)[:, 1]
    assert middle.tolist() == [True, False, False, False]
    assert np.array_equal(found.backed_off, ~found.hit)
    assert len(computed) == len(set(computed))
    assert set(order(np.array(computed)).tolist()) == {1}


@pytest.mark.parametrize("miss", ["compute", "backoff"])
def test_no_text_reaches_into_its_neighbour(
    miss: MissPolicy, stored: TableView, serve: Serve, backbone: Backbone
) -> None:
    knowledge = serve(stored)

    def first(company: str) -> torch.Tensor:
        ids, lengths = _pack(backbone, ["the film was", company])
        found = retrieve(ids, lengths, knowledge, miss)
        state = knowledge.assemble(found, Packing.of(lengths.tolist()))
        return state[: int(lengths[0])]

    # The states of a batch of another size may round differently, a neighbour's words may not.
    assert torch.equal(first("very good"), first("invoice late"))
    assert torch.allclose(first("very good"), first("invoice late , please !"), atol=1e-5)


def test_under_back_off_a_token_is_never_read_from_a_longer_ngram_than_its_own(
    stored: TableView, serve: Serve, encoder: NgramEncoder, backbone: Backbone
) -> None:
    ids, lengths = _pack(backbone, TEXTS)
    keys = pack(trigrams(ids, lengths, encoder.boundary))
    found = retrieve(ids, lengths, serve(stored), "backoff")
    assert found.backed_off.any()
    truth = keys.copy()
    for _ in range(2):
        missed = (stored.find(truth) == MISS) & (order(truth) > 1)
        truth[missed] = shortened_keys(truth[missed])
    assert (unpack(truth)[:, 1] == ids).all()
    assert np.array_equal(_per_token(found).numpy(), compute_rows(encoder, truth))


@pytest.mark.parametrize("miss", ["compute", "backoff"])
def test_a_row_from_the_cache_equals_a_computed_one_to_the_last_bit(
    stored: TableView,
    serve: Serve,
    backbone: Backbone,
    miss: MissPolicy,
    threads: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cached = replace(serve(stored), cache=RowCache(1 << 20, 32).share(0))
    packed = _pack(backbone, TEXTS)
    fresh = retrieve(*packed, serve(stored), miss)
    first = retrieve(*packed, cached, miss)
    monkeypatch.setattr(retrieving, "compute_rows", _never)
    again = retrieve(*packed, cached, miss)
    assert torch.equal(_per_token(fresh), _per_token(first))
    assert torch.equal(_per_token(fresh), _per_token(again))
    assert first.lookups().cached == 0
    assert again.lookups().computed == 0
    assert again.lookups().tokens == first.lookups().tokens == len(packed[0])
    if miss == "compute":
        assert again.lookups().cached == first.lookups().computed > 0


def test_two_encoders_with_one_cache_never_see_each_others_rows(
    backbone: Backbone, hplm: Hplm, empty_view: TableView
) -> None:
    cache = RowCache(1 << 20, 32)
    other = NgramEncoder(backbone, (8,)).freeze()
    packed = _pack(backbone, TEXTS)
    for turn in range(2):
        for owner, encoder in enumerate((hplm.encoder, other)):
            alone = Knowledge("reviews", 1, empty_view, encoder, hplm.bridge)
            found = retrieve(*packed, replace(alone, cache=cache.share(owner)))
            assert torch.equal(_per_token(found), _per_token(retrieve(*packed, alone)))
            assert found.cached.all() == (turn == 1)


def _never(*_: object) -> None:
    raise AssertionError("everything should have been cached")


def test_texts_of_several_domains_are_assembled_together_as_each_alone(
    backbone: Backbone, serve: Serve, empty_view: TableView, stored: TableView
) -> None:
    parts, lengths = [], []
    for view, texts in ((stored, TEXTS[:2]), (empty_view, TEXTS[2:3]), (stored, TEXTS[3:])):
        ids, sizes = _pack(backbone, texts)
        parts.append(retrieve(ids, sizes, serve(view)))
        lengths.append(sizes)
    joined = together(parts)
    assert torch.equal(_per_token(joined), torch.cat([_per_token(part) for part in parts]))
    assert joined.lookups().hits == sum(part.lookups().hits for part in parts)
    packing = Packing.of(np.concatenate(lengths).tolist())
    alone = [
        serve(stored).assemble(part, Packing.of(sizes.tolist()))
        for part, sizes in zip(parts, lengths, strict=True)
    ]
    states = serve(stored).assemble(joined, packing)
    assert torch.allclose(states, torch.cat(alone), atol=1e-5)


def test_texts_of_domains_that_share_an_encoder_compute_what_both_miss_once(
    backbone: Backbone,
    serve: Serve,
    empty_view: TableView,
    stored: TableView,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    computed: list[int] = []

    def spy(encoder: NgramEncoder, keys: NDArray[np.int64]) -> NDArray[np.int8]:
        computed.extend(keys.tolist())
        return compute_rows(encoder, keys)

    packs = [_pack(backbone, texts) for texts in (TEXTS[:3], TEXTS[1:], TEXTS[:2])]
    views = (stored, empty_view, empty_view)
    alone = [retrieve(*pack, serve(view)) for pack, view in zip(packs, views, strict=True)]
    monkeypatch.setattr(retrieving, "compute_rows", spy)
    found = retrieve_all(
        [Asked(*pack, serve(view)) for pack, view in zip(packs, views, strict=True)]
    )
    assert len(computed) == len(set(computed)) > 0
    for one, other in zip(found, alone, strict=True):
        assert torch.equal(_per_token(one), _per_token(other))
        assert one.lookups() == other.lookups()
