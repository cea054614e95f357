from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch

from engine.errors import BadInput, Cancelled
from engine.knowledge import build as building
from engine.knowledge.build import BuildPlan, build_table, compute_rows, entry_bytes
from engine.knowledge.counts import count_ngrams
from engine.knowledge.index import MISS, HashIndex
from engine.knowledge.traffic import Asked
from engine.knowledge.view import Segment, TableView
from engine.model.backbone import Backbone
from engine.model.ngram_encoder import NgramEncoder
from engine.model.ngrams import order, pack, trigrams
from engine.model.rows import STEP_BYTES, decode_rows, encode_rows, row_bytes
from store.tables import StoredTable, TableFiles


def _view(table: StoredTable, rows: np.ndarray | None = None) -> TableView:
    counts = np.asarray(table.arrays["counts"], dtype=np.int64)
    kept = table.rows if rows is None else rows
    of = table.manifest
    made_by = str(of.meta["encoder"]) if rows is None else ""
    segment = Segment(of.domain, of.epoch, table.keys, kept, counts, made_by)
    return TableView(of.domain, (segment,), table.rows.shape[1] - STEP_BYTES)


def test_a_table_holds_the_chosen_ngrams_with_the_rows_a_miss_would_compute(
    publish: Callable[..., building.BuildReport],
    tables: TableFiles,
    corpus: list[str],
    backbone: Backbone,
    encoder: NgramEncoder,
) -> None:
    report = publish("reviews", 1, corpus)
    table = tables.open("reviews", 1, verify=True)
    found = count_ngrams(backbone, corpus, encoder.boundary)
    assert np.array_equal(table.keys, found.keys)
    assert np.array_equal(np.asarray(table.arrays["counts"]), found.counts)
    assert table.rows.dtype == np.int8
    assert np.array_equal(np.asarray(table.rows), compute_rows(encoder, found.keys))
    assert (report.tokens, report.distinct) == (found.tokens, len(found.keys))
    assert report.entries == len(found.keys)
    assert report.coverage == 1.0
    assert table.manifest.meta["encoder"] == encoder.fingerprint()


def test_what_equals_the_inherited_value_is_dropped(
    publish: Callable[..., building.BuildReport], tables: TableFiles, corpus: list[str]
) -> None:
    publish("general", 1, corpus[:3])
    inherited = _view(tables.open("general", 1))
    report = publish("reviews", 1, corpus, inherited)
    own = tables.open("reviews", 1)
    assert 0 < report.entries < report.distinct
    assert report.inherited == len(inherited.segments[0].keys)
    assert report.entries == report.distinct - report.inherited
    assert not np.isin(own.keys, inherited.segments[0].keys).any()
    assert len(np.asarray(own.arrays["counts"])) == len(own.keys)


def test_what_an_inherited_row_of_another_encoder_says_differently_is_kept(
    publish: Callable[..., building.BuildReport],
    tables: TableFiles,
    corpus: list[str],
    backbone: Backbone,
) -> None:
    publish("general", 1, corpus)
    inherited = _view(tables.open("general", 1))
    own = NgramEncoder(backbone, (8,)).freeze()
    report = publish("reviews", 1, corpus, inherited, made_by=own)
    table = tables.open("reviews", 1)
    assert report.entries == report.distinct
    assert np.array_equal(table.keys, inherited.segments[0].keys)
    assert np.array_equal(np.asarray(table.rows), compute_rows(own, table.keys))
    assert table.manifest.meta["encoder"] == own.fingerprint()


@pytest.mark.parametrize(("threshold", "kept"), [(0.01, 5), (0.2, 3), (0.6, 1), (2.0, 0)])
def test_only_what_differs_by_more_than_the_threshold_is_kept(
    publish: Callable[..., building.BuildReport],
    tables: TableFiles,
    corpus: list[str],
    threshold: float,
    kept: int,
) -> None:
    publish("general", 1, corpus)
    stored = tables.open("general", 1)
    values = decode_rows(torch.from_numpy(np.array(stored.rows)))
    rows = np.array(stored.rows)
    for place, distance in enumerate([0.1, 0.15, 0.4, 0.5, 1.0]):
        rows[place] = encode_rows(values[place : place + 1] + distance)[0].numpy()
    report = publish("reviews", 1, corpus, _view(stored, rows), threshold=threshold)
    assert report.entries == kept
    assert np.array_equal(tables.open("reviews", 1).keys, stored.keys[5 - kept : 5])


def test_without_a_threshold_nothing_is_inherited_but_what_the_same_encoder_made(
    publish: Callable[..., building.BuildReport], tables: TableFiles, corpus: list[str]
) -> None:
    publish("general", 1, corpus)
    stored = tables.open("general", 1)
    unknown = publish("reviews", 1, corpus, _view(stored, np.array(stored.rows)))
    assert (unknown.inherited, unknown.entries) == (0, len(stored.keys))
    known = publish("reviews", 2, corpus, _view(stored))
    assert (known.inherited, known.entries) == (len(stored.keys), 0)


def test_a_rebuild_says_what_it_kept_evicted_and_promoted(
    publish: Callable[..., building.BuildReport],
    tables: TableFiles,
    corpus: list[str],
    backbone: Backbone,
    encoder: NgramEncoder,
) -> None:
    publish("reviews", 1, corpus[:2])
    before = _view(tables.open("reviews", 1))
    traffic = count_ngrams(backbone, corpus[3:4], encoder.boundary)
    asked = Asked(*traffic.of_order(3), traffic.tokens)
    report = publish("reviews", 2, corpus[1:2], asked=asked, before=before)
    old, new = (set(tables.open("reviews", epoch).keys.tolist()) for epoch in (1, 2))
    assert (report.kept, report.evicted) == (len(old & new), len(old - new))
    assert report.evicted > 0
    assert set(asked.keys.tolist()) <= new
    assert report.promoted == len(asked.keys)
    assert report.lookups == traffic.tokens
    assert report.coverage_before < report.coverage == pytest.approx(1)


def test_rows_that_the_same_encoder_made_are_not_computed_again_to_compare_them(
    publish: Callable[..., building.BuildReport],
    tables: TableFiles,
    corpus: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publish("general", 1, corpus)
    inherited = _view(tables.open("general", 1))
    monkeypatch.setattr(building, "compute_rows", lambda *_: pytest.fail("it was computed"))
    report = publish("reviews", 1, corpus, inherited)
    assert (report.entries, report.inherited) == (0, report.distinct)


def test_a_budget_too_small_for_the_tokens_says_how_much_they_take(
    publish: Callable[..., building.BuildReport], tables: TableFiles, corpus: list[str]
) -> None:
    publish("all", 1, corpus)
    needed = int((order(tables.open("all", 1).keys) == 1).sum()) * entry_bytes(32)
    with pytest.raises(BadInput, match=f"{needed:,}") as error:
        publish("reviews", 1, corpus, budget=needed - 1)
    assert error.value.code == "budget_too_small"
    assert tables.epochs("reviews") == []
    assert publish("reviews", 1, corpus, budget=needed).entries > 0


def _asked(encoder: NgramEncoder, backbone: Backbone, line: str, times: int) -> Asked:
    ids = np.array(backbone.tokenize([line])[0], dtype=np.int64)
    keys = np.unique(pack(trigrams(ids, np.array([len(ids)]), encoder.boundary)))
    return Asked(keys, np.full(len(keys), times, dtype=np.int64), times * len(keys))


def test_traffic_promotes_what_it_missed_and_evicts_what_it_does_without(
    publish: Callable[..., building.BuildReport],
    tables: TableFiles,
    corpus: list[str],
    backbone: Backbone,
    encoder: NgramEncoder,
) -> None:
    room = publish("all", 1, corpus, alpha=0.5).entries * entry_bytes(32)
    publish("reviews", 1, corpus, budget=room)
    before = _view(tables.open("reviews", 1))
    asked = _asked(encoder, backbone, "thanks , the parcel is dull", 50)
    report = publish("reviews", 2, corpus, budget=room, asked=asked, before=before)
    after = _view(tables.open("reviews", 2))
    assert (after.find(asked.keys) != MISS).all()
    missed = asked.keys[before.find(asked.keys) == MISS]
    assert report.promoted == len(missed) > 0
    old, new = before.segments[0].keys, after.segments[0].keys
    assert report.kept == len(np.intersect1d(old, new))
    assert report.evicted == len(np.setdiff1d(old, new)) > 0
    assert report.lookups == asked.lookups
    assert report.coverage_before < report.coverage
    counts = np.asarray(tables.open("reviews", 2).arrays["counts"])
    assert not counts[np.isin(new, missed)].any()


def test_without_a_corpus_a_table_is_made_of_the_traffic_alone(
    publish: Callable[..., building.BuildReport],
    tables: TableFiles,
    backbone: Backbone,
    encoder: NgramEncoder,
) -> None:
    asked = _asked(encoder, backbone, "the film was very good", 3)
    report = publish("reviews", 1, [], asked=asked)
    assert report.tokens == 0
    assert report.coverage == pytest.approx(1.0)
    assert np.isin(asked.keys, tables.open("reviews", 1).keys).all()


def test_the_byte_budget_holds_on_disk_and_unigrams_come_first(
    publish: Callable[..., building.BuildReport], tables: TableFiles, corpus: list[str]
) -> None:
    publish("all", 1, corpus)
    unigrams = int((order(tables.open("all", 1).keys) == 1).sum())
    entries = unigrams + 4
    budget = entries * entry_bytes(32)
    report = publish("reviews", 1, corpus, budget=budget)
    table = tables.open("reviews", 1)
    assert report.entries == entries
    assert np.bincount(order(table.keys)).tolist() == [0, unigrams, 0, 4]
    assert 0 < report.coverage < 1
    assert table.rows.nbytes + table.keys.nbytes + 8 * entries <= budget


def test_an_entry_is_priced_with_its_place_in_a_real_index(encoder: NgramEncoder) -> None:
    keys = np.arange(20_000, dtype=np.int64) * 977
    index = HashIndex(keys, np.arange(20_000, dtype=np.int32))
    stored = row_bytes(32) + 8 + 8
    assert abs(entry_bytes(32) - stored - index.nbytes / 20_000) < 1


def test_progress_only_grows_and_ends_at_one(
    tables: TableFiles,
    corpus: list[str],
    backbone: Backbone,
    encoder: NgramEncoder,
    empty_view: TableView,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(building, "_CHUNK", 16)
    monkeypatch.setattr("engine.knowledge.counts._BLOCK", 2)
    said: list[tuple[float, str]] = []
    with tables.writer("reviews", 1, (row_bytes(32),), np.int8) as writer:
        build_table(
            writer,
            iter(corpus),
            len(corpus),
            backbone,
            encoder,
            empty_view,
            BuildPlan(alpha=1.0),
            lambda share, message: said.append((share, message)),
            lambda: False,
        )
    shares = [share for share, _ in said]
    assert all(later >= share - 1e-9 for share, later in pairwise(shares))
    assert shares[-1] == 1.0
    assert len(shares) > 5
    assert "counting" in said[0][1]
    assert "computing rows" in said[-1][1]


@pytest.mark.parametrize("after", [0, 2, 5])
def test_a_cancelled_build_leaves_nothing_behind(
    after: int,
    tables: TableFiles,
    corpus: list[str],
    backbone: Backbone,
    encoder: NgramEncoder,
    empty_view: TableView,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(building, "_CHUNK", 16)
    monkeypatch.setattr("engine.knowledge.counts._BLOCK", 2)
    asked = 0

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked > after

    with (
        pytest.raises(Cancelled, match="old epoch"),
        tables.writer("reviews", 1, (row_bytes(32),), np.int8) as writer,
    ):
        build_table(
            writer,
            corpus,
            len(corpus),
            backbone,
            encoder,
            empty_view,
            BuildPlan(alpha=1.0),
            lambda share, message: None,
            cancelled,
        )
    assert tables.epochs("reviews") == []
    assert list(tables.folder("reviews", 1).parent.iterdir()) == []


def test_a_corpus_without_lines_makes_an_empty_table(
    publish: Callable[..., building.BuildReport], tables: TableFiles
) -> None:
    report = publish("reviews", 1, [])
    assert (report.tokens, report.distinct, report.entries) == (0, 0, 0)
    assert (report.coverage_before, report.coverage) == (0, 0)
    assert len(tables.open("reviews", 1).keys) == 0
