from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from engine.errors import Cancelled
from engine.knowledge import build as building
from engine.knowledge.build import BuildPlan, build_table, compute_rows, entry_bytes
from engine.knowledge.counts import count_ngrams
from engine.knowledge.index import HashIndex
from engine.knowledge.view import Segment, TableView
from engine.model.backbone import Backbone
from engine.model.ngram_encoder import NgramEncoder
from engine.model.ngrams import order
from store.tables import StoredTable, TableFiles


def _view(table: StoredTable, rows: np.ndarray | None = None) -> TableView:
    counts = np.asarray(table.arrays["counts"], dtype=np.int64)
    kept = table.rows if rows is None else rows
    segment = Segment(table.manifest.domain, table.manifest.epoch, table.keys, kept, counts)
    return TableView(table.manifest.domain, (segment,), table.rows.shape[2])


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
    assert table.rows.dtype == np.float16
    assert np.array_equal(np.asarray(table.rows), compute_rows(encoder, found.keys))
    assert (report.tokens, report.distinct) == (found.tokens, len(found.keys))
    assert report.kept == report.chosen == len(found.keys)
    assert report.coverage == 1.0
    assert table.manifest.meta["encoder"] == encoder.fingerprint()


def test_what_equals_the_inherited_value_is_dropped(
    publish: Callable[..., building.BuildReport], tables: TableFiles, corpus: list[str]
) -> None:
    publish("general", 1, corpus[:3])
    inherited = _view(tables.open("general", 1))
    report = publish("reviews", 1, corpus, inherited)
    own = tables.open("reviews", 1)
    assert 0 < report.kept < report.chosen
    assert report.kept == report.chosen - len(inherited.segments[0].keys)
    assert not np.isin(own.keys, inherited.segments[0].keys).any()
    assert len(np.asarray(own.arrays["counts"])) == len(own.keys)


@pytest.mark.parametrize(("threshold", "kept"), [(0.0, 5), (0.2, 3), (0.6, 1), (2.0, 0)])
def test_only_what_differs_by_more_than_the_threshold_is_kept(
    publish: Callable[..., building.BuildReport],
    tables: TableFiles,
    corpus: list[str],
    threshold: float,
    kept: int,
) -> None:
    publish("general", 1, corpus)
    stored = tables.open("general", 1)
    rows = np.asarray(stored.rows).copy()
    for place, distance in enumerate([0.1, 0.15, 0.4, 0.5, 1.0]):
        rows[place] += np.float16(distance)
    report = publish("reviews", 1, corpus, _view(stored, rows), threshold=threshold)
    assert report.kept == kept
    assert np.array_equal(tables.open("reviews", 1).keys, stored.keys[5 - kept : 5])


def test_the_byte_budget_holds_on_disk_and_unigrams_come_first(
    publish: Callable[..., building.BuildReport], tables: TableFiles, corpus: list[str]
) -> None:
    publish("all", 1, corpus)
    unigrams = int((order(tables.open("all", 1).keys) == 1).sum())
    entries = unigrams + 4
    budget = entries * entry_bytes(32)
    report = publish("reviews", 1, corpus, budget=budget)
    table = tables.open("reviews", 1)
    assert report.kept == entries
    assert np.bincount(order(table.keys)).tolist() == [0, unigrams, 0, 4]
    assert 0 < report.coverage < 1
    assert table.rows.nbytes + table.keys.nbytes + 8 * entries <= budget


def test_an_entry_is_priced_with_its_place_in_a_real_index(encoder: NgramEncoder) -> None:
    keys = np.arange(20_000, dtype=np.int64) * 977
    index = HashIndex(keys, np.arange(20_000, dtype=np.int32))
    stored = 3 * 32 * 2 + 8 + 8
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
    with tables.writer("reviews", 1, (3, 32), np.float16) as writer:
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
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(shares) > 5
    assert "counting" in said[0][1]
    assert "kept" in said[-1][1]


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
        tables.writer("reviews", 1, (3, 32), np.float16) as writer,
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
    assert replace(report, seconds=0.0) == building.BuildReport(0, 0, 0, 0, 0.0, 0.0)
    assert len(tables.open("reviews", 1).keys) == 0
