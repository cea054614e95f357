"""A decoder's knowledge: the same tables, views and lookups, over n-grams that look back alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config import assets_dir
from engine.errors import Unavailable
from engine.knowledge import encoder_file
from engine.knowledge.build import compute_rows
from engine.knowledge.choice import Demand, choose, merge
from engine.knowledge.counts import count_ngrams
from engine.knowledge.encoder_file import load_hplm, save_hplm
from engine.knowledge.expected import expect
from engine.knowledge.hplm import Hplm
from engine.knowledge.origins import origins
from engine.knowledge.perplexity import perplexity_of
from engine.knowledge.retrieve import Asked, Knowledge, retrieve, retrieve_all
from engine.knowledge.view import Segment, TableView
from engine.model.backbone import Backbone
from engine.model.decoder import Decoder, load_decoder
from engine.model.ngrams import ABSENT, pack, unpack
from engine.model.packing import Packing

LINES = ["the film was very good", "the film was not very good , it was dull"]


def _packed(rows: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    ids = np.array([t for row in rows for t in row], dtype=np.int64)
    return ids, np.array([len(row) for row in rows], dtype=np.int64)


def _knowledge(decoder: Decoder, hplm: Hplm, lines: list[str], *, every: int = 1) -> Knowledge:
    """One whose table has every so many n-grams of the lines."""
    found = count_ngrams(decoder, lines, hplm.encoder.boundary)
    keys, counts = found.keys[::every], found.counts[::every]
    segment = Segment("general", 1, keys, compute_rows(hplm.encoder, keys), counts)
    view = TableView("general", (segment,), decoder.shape.hidden)
    return Knowledge("general", 1, view, hplm.encoder, hplm.bridge)


def test_running_text_is_counted_across_its_lines(decoder: Decoder, decoder_hplm: Hplm) -> None:
    found = count_ngrams(decoder, LINES, decoder_hplm.encoder.boundary)
    [ids] = decoder.tokenize(["\n".join([*LINES, ""])])
    assert found.tokens == len(ids)
    keys, counts = found.of_order(3)
    assert counts.sum() == len(ids)
    grams = decoder_hplm.encoder.grams(*_packed([ids]))
    assert np.array_equal(np.unique(pack(grams)), keys)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 255), min_size=1, max_size=20), st.integers(1, 5))
def test_a_decoder_s_hit_equals_a_computed_miss(
    decoder: Decoder, decoder_hplm: Hplm, row: list[int], every: int
) -> None:
    ids, lengths = _packed([row])
    encoder = decoder_hplm.encoder
    full = _knowledge(decoder, decoder_hplm, [decoder.tokenizer.decode(row)], every=every)
    none = Knowledge("general", 0, TableView("general", (), 32), encoder, decoder_hplm.bridge)
    hit, missed = retrieve(ids, lengths, full), retrieve(ids, lengths, none)
    assert torch.equal(hit.rows[hit.which], missed.rows[missed.which])


def test_lookups_of_seen_text_hit(decoder: Decoder, decoder_hplm: Hplm) -> None:
    knowledge = _knowledge(decoder, decoder_hplm, LINES)
    found = retrieve(*_packed(decoder.tokenize(["\n".join([*LINES, ""])])), knowledge)
    assert found.hit.all()


@pytest.mark.parametrize("miss", ["compute", "backoff"])
def test_pieces_of_a_text_get_the_rows_of_the_whole(
    decoder: Decoder, decoder_hplm: Hplm, miss: str
) -> None:
    knowledge = _knowledge(decoder, decoder_hplm, LINES, every=3)
    [row] = decoder.tokenize(["the film was dull and the plot was not"])
    boundary = decoder_hplm.encoder.boundary
    padded = [boundary, boundary, *row]
    asked = [Asked(*_packed([row]), knowledge, miss)]  # type: ignore[arg-type]
    for i, token in enumerate(row):
        before = np.array([padded[i : i + 2]])
        asked.append(Asked(*_packed([[token]]), knowledge, miss, before))  # type: ignore[arg-type]
    whole, *parts = retrieve_all(asked)
    rows = torch.cat([part.rows[part.which] for part in parts])
    assert torch.equal(rows, whole.rows[whole.which])
    assert np.array_equal(np.concatenate([part.hit for part in parts]), whole.hit)
    assert np.array_equal(np.concatenate([part.backed_off for part in parts]), whole.backed_off)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 255), min_size=2, max_size=20), st.data())
def test_a_later_token_changes_no_earlier_row_and_no_earlier_state(
    decoder: Decoder, decoder_hplm: Hplm, row: list[int], data: st.DataObject
) -> None:
    at = data.draw(st.integers(1, len(row) - 1))
    other = [*row[:at], (row[at] + 1) % 256, *row[at + 1 :]]
    packing = Packing.of([len(row)])
    knowledge = _knowledge(decoder, decoder_hplm, LINES)
    states = []
    rows = []
    for each in (row, other):
        found = retrieve(*_packed([each]), knowledge)
        rows.append(found.rows[found.which])
        with torch.inference_mode():
            states.append(decoder.upper(knowledge.assemble(found, packing), packing))
    assert torch.equal(rows[0][:at], rows[1][:at])
    assert torch.allclose(states[0][:at], states[1][:at], atol=1e-6)
    assert not torch.allclose(states[0][at], states[1][at], atol=1e-4)


def test_computed_rows_are_what_training_sees_but_for_rounding(
    decoder: Decoder, decoder_hplm: Hplm
) -> None:
    """The miss path, from remembered projections, against the plain forward."""
    ids, lengths = _packed(decoder.tokenize(LINES))
    packing = Packing.of(lengths.tolist())
    none = Knowledge(
        "general", 0, TableView("general", (), 32), decoder_hplm.encoder, decoder_hplm.bridge
    )
    with torch.no_grad():
        trained = decoder_hplm.states(ids, packing)
    served = none.assemble(retrieve(ids, lengths, none), packing)
    scale = trained.abs().max()
    assert (trained - served).abs().max() < 0.03 * scale


def test_an_encoder_s_file_and_a_decoder_s_are_told_apart(
    decoder: Decoder, decoder_hplm: Hplm, tmp_path: Path, backbone: Backbone
) -> None:
    path = tmp_path / "causal.safetensors"
    save_hplm(decoder_hplm, path, {})
    again = load_hplm(path, decoder)
    ids, lengths = _packed(decoder.tokenize(LINES))
    grams = torch.from_numpy(again.encoder.grams(ids, lengths))
    rows, before = again.encoder.rows(grams), decoder_hplm.encoder.rows(grams)
    assert torch.allclose(rows, before, atol=2e-2)
    with pytest.raises(Unavailable, match="causal-row"):
        load_hplm(path, backbone)


def test_the_shipped_encoder_serves_the_decoder_it_was_made_for_and_no_other(
    decoder: Decoder,
    decoder_hplm: Hplm,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(encoder_file, "assets_dir", lambda: tmp_path)
    _, damage = encoder_file.general_hplm(None, decoder)
    assert damage is not None
    assert damage.code == "no_encoder"
    save_hplm(decoder_hplm, encoder_file.bundled_file(decoder.split, causal=True), {})
    found, damage = encoder_file.general_hplm(None, decoder)
    assert damage is None
    assert torch.allclose(found.encoder.edge, decoder_hplm.encoder.edge, atol=1e-3)
    other = replace(decoder, checkpoint=replace(decoder.checkpoint, sha256="0" * 64))
    _, damage = encoder_file.general_hplm(None, other)
    assert damage is not None
    assert damage.code == "no_encoder"


def test_of_equally_rare_ngrams_those_of_frequent_pairs_come_first() -> None:
    """(a, b, c) is written (a, c, b): its pairs are (a, b), written with b in the middle, and
    (b, c)."""
    likely, unlikely = [1, 3, 2], [4, 6, 5]
    keys = pack(
        np.array(
            [
                likely,
                unlikely,
                *([ABSENT, 2, 1], [ABSENT, 3, 2], [ABSENT, 5, 4], [ABSENT, 6, 5]),
                *([ABSENT, t, ABSENT] for t in range(1, 7)),
            ]
        )
    )
    weights = np.array([1, 1, 9, 9, 1, 1, 9, 9, 9, 9, 9, 9], dtype=np.float64)
    by_key = np.argsort(keys)
    counts = weights.astype(np.int64)
    demand = Demand(
        keys[by_key],
        counts[by_key],
        np.zeros(12, np.int64),
        weights[by_key] / 100,
        np.zeros(12, np.bool_),
        100,
        0,
        causal=True,
    )
    chosen = choose(demand, np.zeros(12, np.bool_), 0.01, 7, 1)
    assert unpack(chosen.keys)[unpack(chosen.keys)[:, 0] != ABSENT].tolist() == [likely]


def test_a_demand_remembers_whose_ngrams_it_is_of(decoder: Decoder, backbone: Backbone) -> None:
    for each in (decoder, backbone):
        found = count_ngrams(each, LINES, each.shape.vocab)
        assert merge(found).causal is each.shape.causal


def test_what_a_corpus_promises_is_told_of_a_decoder_s_ngrams(decoder: Decoder) -> None:
    same = expect(decoder, ["the film", "the film"], decoder.shape.vocab)
    assert same.hit_rate == 1.0
    other = expect(decoder, ["the film was", "my film was"], decoder.shape.vocab)
    assert 0 < other.hit_rate < 1


def test_origins_are_told_of_a_decoder_s_tokens(decoder: Decoder, decoder_hplm: Hplm) -> None:
    knowledge = _knowledge(decoder, decoder_hplm, LINES)
    [row] = decoder.tokenize([f"{LINES[0]} parcel"])
    found = retrieve(*_packed([row]), knowledge)
    told = origins(row, found, knowledge)
    assert [each.node for each in told] == [
        "general" if hit else None for hit in found.hit.tolist()
    ]
    assert {each.source for each in told} == {"table", "computed"}


def test_the_shipped_encoder_is_the_shipped_decoders() -> None:
    shipped = load_decoder(assets_dir() / "generator", split=4)
    found, damage = encoder_file.general_hplm(None, shipped)
    assert damage is None
    # Text that neither was trained on.
    lines = (assets_dir() / "demo" / "general.txt").read_text().splitlines()[:60]
    text = shipped.windows([line for line in lines if line], shipped.max_tokens)
    exact = perplexity_of(shipped, text)
    assert perplexity_of(shipped, text, found.states) < 1.03 * exact
    assert perplexity_of(shipped, text, Hplm.untrained(shipped).states) > 1.5 * exact
