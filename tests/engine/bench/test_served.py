from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.bench.model import Model
from engine.bench.plain import PlainTransformers
from engine.bench.served import ModelPath
from engine.bench.sources import Sources, open_sources
from engine.bench.tables import Tables
from engine.errors import Damaged
from engine.knowledge.encoder_file import save_hplm
from engine.knowledge.hplm import Hplm
from engine.knowledge.index import MISS
from engine.model.adapters import AdapterShape, AdapterWeights, random_adapter
from engine.model.ngrams import pack, trigrams
from engine.model.packing import Packing

LABELS = ("bad", "good", "neither")
TEXTS = ["the film was very good", "dull", "my order is late , please refund my money"]


@pytest.fixture
def adapters(model: Model) -> list[AdapterWeights]:
    shape = AdapterShape(2, model.backbone.shape.hidden, 8)
    generator = torch.Generator().manual_seed(0)
    return [random_adapter(shape, len(LABELS), generator) for _ in range(2)]


@pytest.fixture
def sources(data: Path) -> Sources:
    return open_sources(data, (), {"films": "reviews", "plots": "reviews"})


@pytest.fixture
def tables(tmp_path: Path, model: Model, sources: Sources) -> Tables:
    made = Tables(tmp_path / "tables", model)
    made.build(sources, ["reviews"], 1.0, lambda _line: None)
    return made


def test_a_batch_gets_the_answers_that_each_text_gets_alone(
    model: Model, adapters: list[AdapterWeights], tables: Tables
) -> None:
    path = ModelPath(model.backbone, adapters, LABELS, "reviews")
    rows, knowledge = model.rows(TEXTS), tables.knowledge("reviews")
    together = path.run(rows, "plot", knowledge).probs
    for i, row in enumerate(rows):
        alone = ModelPath(model.backbone, [adapters[i % 2]], LABELS, "reviews")
        assert alone.run([row], "plot", knowledge).probs[0] == pytest.approx(together[i], abs=1e-5)


def test_exact_mode_looks_nothing_up_and_plot_mode_says_where_rows_came_from(
    model: Model, adapters: list[AdapterWeights], tables: Tables
) -> None:
    path = ModelPath(model.backbone, adapters, LABELS, "reviews")
    rows = model.rows(TEXTS)
    exact = path.run(rows, "exact")
    assert exact.lookups is None
    assert set(exact.seconds) == {"retrieve", "load", "compute"}
    found = path.run(rows, "plot", tables.knowledge("reviews")).lookups
    assert found is not None
    assert found.tokens == sum(map(len, rows))
    assert 0 < found.hits < found.tokens
    assert found.cached == 0


def test_a_cache_answers_the_second_time(
    model: Model, adapters: list[AdapterWeights], tables: Tables
) -> None:
    path = ModelPath(model.backbone, adapters, LABELS, "reviews")
    rows, knowledge = model.rows(TEXTS), tables.knowledge("reviews", 1 << 20)
    first, second = (path.run(rows, "plot", knowledge) for _ in range(2))
    assert first.lookups is not None
    assert second.lookups is not None
    assert second.lookups.computed == 0
    assert second.lookups.cached == first.lookups.computed > 0
    assert second.probs == first.probs
    fresh = path.run(rows, "plot", tables.knowledge("reviews", 1 << 20)).lookups
    assert fresh == first.lookups


def test_heads_larger_than_a_slots_share_of_the_pool_fit(
    model: Model, adapters: list[AdapterWeights]
) -> None:
    labels = tuple(f"intent {i:03}" for i in range(3000))
    generator = torch.Generator().manual_seed(0)
    many = [random_adapter(adapters[0].shape, len(labels), generator) for _ in range(3)]
    path = ModelPath(model.backbone, many, labels, "reviews")
    assert [len(probs) for probs in path.run(model.rows(TEXTS), "exact").probs] == [3000] * 3


def test_a_domains_table_inherits_from_the_roots(
    model: Model, sources: Sources, tables: Tables, tmp_path: Path
) -> None:
    view = tables.knowledge("reviews").view
    assert [segment.domain for segment in view.segments] == ["reviews", "general"]
    ids = model.rows(sources.corpus("general"))
    flat = np.array([token for row in ids for token in row])
    lengths = np.array([len(row) for row in ids])
    keys = pack(trigrams(flat, lengths, model.hplm.encoder.boundary))
    assert (view.find(keys) != MISS).all()
    again = Tables(tmp_path / "tables", model)
    again.open(["reviews"])
    opened = again.knowledge("reviews")
    assert (opened.damage, opened.view.entries) == (None, view.entries)


def test_a_domain_with_an_encoder_of_its_own_has_a_table_of_it(
    model: Model, adapters: list[AdapterWeights], sources: Sources, tmp_path: Path
) -> None:
    torch.manual_seed(5)
    own = Hplm.untrained(model.backbone)
    with torch.no_grad():
        own.encoder.edge.add_(1.0)
        own.encoder.place.add_(0.5)
    save_hplm(own, tmp_path / "reviews.safetensors", {})
    with_own = replace(model, own={"reviews": tmp_path / "reviews.safetensors"})
    tables = Tables(tmp_path / "own", with_own)
    tables.build(sources, ["reviews"], 0.5, lambda _line: None)
    knowledge = tables.knowledge("reviews")
    assert knowledge.damage is None
    assert knowledge.encoder.fingerprint() != model.hplm.encoder.fingerprint()
    path = ModelPath(model.backbone, adapters, LABELS, "reviews")
    found = path.run(model.rows(TEXTS), "plot", knowledge).lookups
    assert found is not None
    assert found.hits > 0
    assert with_own.identity() != model.identity()


def test_an_own_encoder_that_cannot_be_used_is_refused(
    model: Model, sources: Sources, tmp_path: Path
) -> None:
    (tmp_path / "reviews.safetensors").write_bytes(b"nothing of the kind")
    with_own = replace(model, own={"reviews": tmp_path / "reviews.safetensors"})
    with pytest.raises(Damaged, match=r"reviews\.safetensors"):
        Tables(tmp_path / "own", with_own).build(sources, ["reviews"], 0.5, lambda _line: None)


def test_plain_transformers_computes_what_the_exact_backbone_does(model: Model) -> None:
    backbone = model.backbone
    plain = PlainTransformers(backbone, len(LABELS), seed=1)
    rows = model.rows(TEXTS)
    packing = Packing.of([len(row) for row in rows])
    ids = torch.tensor([token for row in rows for token in row])
    top = backbone.upper(backbone.lower(ids, packing), packing)
    expected = (packing.mean(top) @ plain._head.T).softmax(-1)
    assert np.array(plain.run(rows)) == pytest.approx(expected.numpy(), abs=1e-4)
