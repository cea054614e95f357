from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.knowledge.placement import place, scale


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 300), st.integers(0, 2**32))
def test_each_key_has_its_own_slot_and_its_buckets_multiplier_leads_there(
    keys: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    buckets, slots = keys // 2 + 1, 2 * keys
    bucket = rng.integers(0, buckets, keys)
    spread = rng.integers(0, 2**64, keys, dtype=np.uint64)
    placement = place(bucket, spread, buckets, slots)
    assert placement is not None
    assert len(np.unique(placement.slots)) == keys
    product = spread * placement.multipliers[bucket]
    scale(product, np.array(slots, dtype=np.uint64))
    assert np.array_equal(product.view(np.int64), placement.slots)
    assert placement.slots.max() < slots


def test_keys_of_one_bucket_that_always_collide_have_no_placement() -> None:
    bucket = np.array([0, 1, 1])
    spread = np.array([5, 1 << 40, 1 << 40], dtype=np.uint64)
    assert place(bucket, spread, 2, 8) is None


def test_more_keys_than_slots_have_no_placement() -> None:
    spread = np.random.default_rng(0).integers(0, 2**64, 9, dtype=np.uint64)
    assert place(np.arange(9), spread, 16, 8) is None
