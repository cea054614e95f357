"""N-grams of token ids as 64-bit keys.

The n-gram of token i is (x[i-1], x[i], x[i+1]), or for a model that looks back alone
(x[i-2], x[i], x[i-1]): the token itself in the middle, to its left what back-off gives up first.
Outside the sequence stands an explicit boundary id, which is information; a slot that back-off gave
up is absent, which is not. The key is tagged with the n-gram's order, so that neither can be taken
for the other (SkipBERT's keys could).

    bits  0-19 left + 1    20-39 centre + 1    40-59 right + 1    60-61 order
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
Keys = NDArray[np.int64]

ABSENT = -1
"""The id of a slot that a shorter n-gram does not have."""

SLOTS = 3
_BITS = 20
_FIELD = (1 << _BITS) - 1
MAX_VOCABULARY = _FIELD - 1
"""Token ids and the boundary must be below this."""


def trigrams(ids: Ids, lengths: Ids, boundary: int, seconds: Ids | None = None) -> Ids:
    """(T,) token ids of packed rows -> (T, 3), each token with its neighbours in its own row.

    `seconds` (B,) says where in each row a second text begins, 0 if it has none. Its tokens have
    the neighbours that they would have in a row of their own, which its first text's opening token
    would begin: no n-gram reaches from one text into the other, and none is new to the tables.
    """
    total = int(ids.shape[0])
    ends = np.cumsum(lengths)
    grams = np.full((total, SLOTS), boundary, dtype=np.int64)
    grams[:, 1] = ids
    grams[1:, 0] = ids[:-1]
    grams[:-1, 2] = ids[1:]
    grams[ends - lengths, 0] = boundary
    grams[ends - 1, 2] = boundary
    if seconds is not None:
        starts = (ends - lengths)[seconds > 0]
        at = starts + seconds[seconds > 0]
        grams[at, 0] = ids[starts]
        grams[at - 1, 2] = boundary
    return grams


def causal_trigrams(ids: Ids, lengths: Ids, boundary: int, before: Ids | None = None) -> Ids:
    """(T,) token ids of packed rows -> (T, 3), each token in the middle, the two before it in its
    own row to the left and right of it.

    `before` (B, 2) are the tokens in front of each row, the farther first; a row that starts its
    text has boundaries there, as all have if none are given.
    """
    starts = np.cumsum(lengths) - lengths
    if before is None:
        before = np.full((len(lengths), 2), boundary, dtype=np.int64)
    grams = np.empty((int(ids.shape[0]), SLOTS), dtype=np.int64)
    grams[:, 1] = ids
    grams[1:, 2] = ids[:-1]
    grams[starts, 2] = before[:, 1]
    grams[2:, 0] = ids[:-2]
    longer = starts[lengths > 1]
    grams[longer + 1, 0] = before[lengths > 1, 1]
    grams[starts, 0] = before[:, 0]
    return grams


def ngrams(
    ids: Ids,
    lengths: Ids,
    boundary: int,
    *,
    causal: bool,
    before: Ids | None = None,
    seconds: Ids | None = None,
) -> Ids:
    """The n-grams (T, 3) of packed rows as a model reads them; `before` is of causal ones,
    `seconds` of the others."""
    if causal:
        return causal_trigrams(ids, lengths, boundary, before)
    return trigrams(ids, lengths, boundary, seconds)


def in_text_order(grams: Ids, *, causal: bool) -> Ids:
    """(N, 3) n-grams as a reader would write them, absent slots first."""
    return grams[:, [0, 2, 1]] if causal else grams


def pack(grams: Ids) -> Keys:
    """(N, 3) n-grams -> (N,) keys. Absent slots are allowed left, or left and right."""
    order = (grams != ABSENT).sum(axis=1)
    slots = grams + 1
    key: Keys = (
        slots[:, 0] | (slots[:, 1] << _BITS) | (slots[:, 2] << (2 * _BITS)) | (order << (3 * _BITS))
    )
    return key


def unpack(keys: Keys) -> Ids:
    """(N,) keys -> (N, 3) n-grams."""
    parts = [(keys >> (slot * _BITS)) & _FIELD for slot in range(SLOTS)]
    return np.stack(parts, axis=1) - 1


def order(keys: Keys) -> Ids:
    """(N,) 1, 2 or 3: how many slots each key has."""
    return keys >> (3 * _BITS)


def shorten(grams: Ids) -> Ids:
    """Back-off by one: (a, b, c) -> (absent, b, c) -> (absent, b, absent)."""
    shorter = grams.copy()
    full = grams[:, 0] != ABSENT
    shorter[full, 0] = ABSENT
    shorter[~full, 2] = ABSENT
    return shorter


def shortened_keys(keys: Keys) -> Keys:
    """`shorten` on keys, without unpacking them."""
    full = order(keys) == SLOTS
    bigram = (keys & ~np.int64(_FIELD)) - (np.int64(1) << (3 * _BITS))
    centre = np.int64(_FIELD << _BITS)
    unigram = (keys & centre) | (np.int64(1) << (3 * _BITS))
    return np.where(full, bigram, unigram)
