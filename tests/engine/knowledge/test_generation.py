"""Continuing texts in batches: nobody's text depends on who else is in the batch, or on how it was
cut into rounds."""

from __future__ import annotations

import random
from collections.abc import Sequence as Several

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.errors import BadInput
from engine.knowledge.generation import Sequence, advance, begin, caching_layers, look_up
from engine.knowledge.hplm import Hplm
from engine.knowledge.retrieve import Knowledge, retrieve
from engine.knowledge.view import TableView
from engine.model.batched import BatchedAdapters, SlotWeights
from engine.model.decoder import Decoder
from engine.model.kv_pool import KvPool
from engine.model.packing import Packing

ATOL = 1e-5
"""Float32; sums are taken in another order."""
SLOTS, RANK = 5, 4
MODES = pytest.mark.parametrize("mode", ["plot", "exact"])


@pytest.fixture(scope="module")
def knowledge(decoder_hplm: Hplm) -> Knowledge:
    view = TableView("general", (), decoder_hplm.encoder.shape.hidden)
    return Knowledge("general", 0, view, decoder_hplm.encoder, decoder_hplm.bridge)


@pytest.fixture(scope="module")
def other(decoder: Decoder) -> Knowledge:
    """A domain with an encoder and a bridge of its own."""
    torch.manual_seed(9)
    made = Hplm.untrained(decoder, bridge_widths=(16, 16)).freeze()
    return Knowledge("other", 0, TableView("other", (), 32), made.encoder, made.bridge)


@pytest.fixture(scope="module")
def adapters(decoder: Decoder) -> SlotWeights:
    torch.manual_seed(4)
    places, hidden = 2 * (decoder.shape.layers - decoder.split), decoder.shape.hidden
    sizes = ((hidden, RANK), (RANK,), (RANK, hidden), (hidden,))
    parts = [0.3 * torch.randn(places, SLOTS, *size) for size in sizes]
    for part in parts:
        part[:, 0] = 0
    return SlotWeights(*parts)


def _whole(
    decoder: Decoder, ids: Several[int], knowledge: Knowledge | None, slot: int, w: SlotWeights
) -> Tensor:
    """(T, V), everything computed at once, without a cache."""
    packing = Packing.of([len(ids)])
    row = np.array(ids, dtype=np.int64)
    if knowledge is None:
        states = decoder.lower(torch.from_numpy(row), packing)
    else:
        states = knowledge.assemble(retrieve(row, np.array([len(row)]), knowledge), packing)
    return decoder.logits(decoder.upper(states, packing, BatchedAdapters(w, [slot], packing)))


def _begun(
    decoder: Decoder, pool: KvPool, prompt: list[int], knowledge: Knowledge | None, slot: int
) -> Sequence:
    sequence = begin(decoder, pool, prompt, 8, knowledge, slot)
    assert sequence is not None
    return sequence


def _greedy(
    decoder: Decoder,
    pool: KvPool,
    sequences: list[Sequence],
    adapters: SlotWeights,
    rounds: int,
    chunk: int,
) -> tuple[list[Sequence], list[list[Tensor]]]:
    """Let each go on for some rounds, and the logits that each was continued by."""
    told: list[list[Tensor]] = [[] for _ in sequences]
    for _ in range(rounds):
        turns = [sequence.turn(chunk) for sequence in sequences]
        logits = iter(advance(decoder, pool, look_up(turns), adapters))
        for i, turn in enumerate(turns):
            sequences[i] = turn.over()
            if turn.ends:
                told[i].append(next(logits))
                sequences[i] = sequences[i].said(int(told[i][-1].argmax()))
        assert next(logits, None) is None
    return sequences, told


@torch.inference_mode()
def test_cached_continuation_equals_full_recomputation_in_both_modes_side_by_side(
    decoder: Decoder, knowledge: Knowledge, other: Knowledge, adapters: SlotWeights
) -> None:
    pool = KvPool(1 << 20, decoder.shape)
    prompts = [[5, 6, 7], list(range(20, 37)), [9], [40, 41, 42, 43], list(range(60, 70))]
    ways = [knowledge, None, other, knowledge, None]
    begun = [
        _begun(decoder, pool, prompt, way, slot)
        for prompt, way, slot in zip(prompts, ways, (1, 2, 3, 0, 4), strict=True)
    ]
    sequences, told = _greedy(decoder, pool, begun, adapters, rounds=8, chunk=6)
    for sequence, logits, prompt in zip(sequences, told, prompts, strict=True):
        assert len(logits) == len(sequence.ids) - len(prompt) >= 5
        whole = _whole(decoder, sequence.ids, sequence.knowledge, sequence.slot, adapters)
        reached = whole[len(prompt) - 1 : -1]
        assert torch.allclose(torch.stack(logits), reached, atol=ATOL)


@MODES
@pytest.mark.parametrize("seed", range(6))
@torch.inference_mode()
def test_a_text_does_not_depend_on_its_mates_its_slot_or_its_chunks(
    decoder: Decoder, knowledge: Knowledge, adapters: SlotWeights, mode: str, seed: int
) -> None:
    dice = random.Random(seed)
    prompts = [
        [dice.randint(0, 255) for _ in range(dice.randint(1, 30))]
        for _ in range(dice.randint(2, 5))
    ]
    chunk, first = dice.randint(1, 16), dice.randint(0, 4)
    way = knowledge if mode == "plot" else None
    pool = KvPool(1 << 20, decoder.shape)
    crowd = [
        _begun(decoder, pool, prompt, way, (first + i) % SLOTS) for i, prompt in enumerate(prompts)
    ]
    turns = [sequence.turn(chunk) for sequence in crowd]
    together = list(advance(decoder, pool, look_up(turns), adapters))
    places = [i for i, turn in enumerate(turns) if turn.ends]
    alone = KvPool(1 << 20, decoder.shape)
    moved = SlotWeights(
        *(
            torch.cat([part[:, :1], torch.roll(part[:, 1:], 1, dims=1)], dim=1)
            for part in (adapters.down, adapters.down_bias, adapters.up, adapters.up_bias)
        )
    )
    for i, logits in zip(places, together, strict=True):
        slot = turns[i].sequence.slot
        single = _begun(decoder, alone, prompts[i], way, slot)
        [found] = advance(decoder, alone, look_up([single.turn(99)]), adapters)
        assert torch.allclose(found, logits, atol=ATOL)
        if slot:
            # The same adapter, in another slot of another arena.
            elsewhere = _begun(decoder, alone, prompts[i], way, 1 + slot % (SLOTS - 1))
            [found] = advance(decoder, alone, look_up([elsewhere.turn(99)]), moved)
            assert torch.allclose(found, logits, atol=ATOL)


@MODES
@torch.inference_mode()
def test_each_of_a_batch_answers_with_its_own_adapter(
    decoder: Decoder, knowledge: Knowledge, adapters: SlotWeights, mode: str
) -> None:
    way = knowledge if mode == "plot" else None
    pool = KvPool(1 << 20, decoder.shape)
    crowd = [_begun(decoder, pool, [5, 6, 7, 8], way, slot) for slot in (3, 0, 2, 1, 4)]
    logits = advance(decoder, pool, look_up([s.turn(9) for s in crowd]), adapters)
    for sequence, found in zip(crowd, logits, strict=True):
        whole = _whole(decoder, sequence.ids, way, sequence.slot, adapters)
        assert torch.allclose(found, whole[-1], atol=ATOL)
    distances = torch.cdist(logits, logits) + 9 * torch.eye(len(crowd))
    assert distances.min() > 0.1


@torch.inference_mode()
def test_without_a_bridge_the_upper_layers_alone_are_cached(
    decoder: Decoder, adapters: SlotWeights
) -> None:
    made = Hplm.untrained(decoder, bridge_widths=()).freeze()
    bare = Knowledge("general", 0, TableView("general", (), 32), made.encoder, made.bridge)
    assert caching_layers(decoder, bare) == 2
    pool = KvPool(1 << 20, decoder.shape)
    begun = _begun(decoder, pool, [5, 6, 7, 8], bare, 2)
    [found] = _greedy(decoder, pool, [begun], adapters, rounds=6, chunk=2)[1]
    whole = _whole(decoder, [5, 6, 7, 8], bare, 2, adapters)
    assert torch.allclose(found[0], whole[-1], atol=ATOL)


@torch.inference_mode()
def test_unfinished_prompts_bring_no_logits(
    decoder: Decoder, knowledge: Knowledge, adapters: SlotWeights
) -> None:
    pool = KvPool(1 << 20, decoder.shape)
    long = _begun(decoder, pool, list(range(20)), knowledge, 1)
    turn = long.turn(8)
    assert not turn.ends
    assert advance(decoder, pool, look_up([turn]), adapters).shape == (0, decoder.shape.vocab)
    assert (turn.over().done, turn.over().left) == (8, 12)


@torch.inference_mode()
def test_as_a_bfloat16_machine_computes_places_that_belong_to_nobody_change_nothing(
    decoder_checkpoint: object, adapters: SlotWeights
) -> None:
    from engine.model.decoder import load_decoder

    brief = load_decoder(decoder_checkpoint, split=2, dtype=torch.bfloat16)  # type: ignore[arg-type]
    assert brief.compiles
    hplm = Hplm.untrained(brief).freeze()
    way = Knowledge("general", 0, TableView("general", (), 32), hplm.encoder, hplm.bridge)
    parts = (adapters.down, adapters.down_bias, adapters.up, adapters.up_bias)
    narrow = SlotWeights(*(part.bfloat16() for part in parts))
    for knowledge in (way, None):
        pool = KvPool(1 << 20, brief.shape)
        crowd = [_begun(brief, pool, [5, 6, 7], knowledge, slot) for slot in (1, 2, 3)]
        logits = advance(brief, pool, look_up([s.turn(9) for s in crowd]), narrow)
        for sequence, found in zip(crowd, logits, strict=True):
            whole = _whole(brief, sequence.ids, knowledge, sequence.slot, narrow)[-1]
            assert torch.allclose(found, whole, atol=0.15)


def test_in_plot_mode_the_bridge_and_the_upper_layers_alone_are_cached(
    decoder: Decoder, knowledge: Knowledge
) -> None:
    assert caching_layers(decoder, None) == 4
    assert caching_layers(decoder, knowledge) == 3


def test_a_full_pool_lets_a_sequence_wait_and_a_freed_one_lets_it_in(decoder: Decoder) -> None:
    page = KvPool(1 << 20, decoder.shape).page_bytes
    pool = KvPool(4 * page, decoder.shape)
    first = begin(decoder, pool, [1, 2, 3], 4, None)
    assert first is not None
    assert begin(decoder, pool, [4, 5], 4, None) is None
    pool.free(first.lease)
    assert begin(decoder, pool, [4, 5], 4, None) is not None


@pytest.mark.parametrize(
    ("prompt", "more", "code", "word"),
    [
        ([], 4, "empty_prompt", "empty"),
        ([1] * 45, 4, "context_exceeded", "at most 3 tokens"),
        ([1] * 30, 10, "cache_too_small", "cache"),
    ],
)
def test_what_can_never_run_is_refused_with_the_numbers(
    decoder: Decoder, prompt: list[int], more: int, code: str, word: str
) -> None:
    page = KvPool(1 << 20, decoder.shape).page_bytes
    with pytest.raises(BadInput) as caught:
        begin(decoder, KvPool(8 * page, decoder.shape), prompt, more, None)
    assert caught.value.code == code
    assert word in str(caught.value)
