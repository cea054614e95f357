"""Which n-grams are worth a row: corpus and traffic weighed together, under a byte budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.errors import BadInput
from engine.knowledge.counts import Counts, NgramCounts
from engine.knowledge.traffic import NOTHING_ASKED, Asked
from engine.model.ngrams import ABSENT, SLOTS, Keys, order, pack, shortened_keys, unpack

TRAFFIC_WEIGHT = 0.9
"""The most that traffic counts for, when there is plenty of it; the corpus has the rest."""
WORTH = 4.0
"""Corpus tokens that a lookup counts for while lookups are few: it is what is asked, not a guess
at it. Below 2 a shifted domain learns too little; up to 10 makes no difference to the others."""


@dataclass(frozen=True, slots=True, eq=False)
class Demand:
    """Distinct `keys` (N,), sorted, of orders 1 to 3.

    `counts` (N,) are occurrences in the corpus of `tokens`, `times` (N,) in the traffic of
    `lookups`, some of which went by without a name being kept. `weights` (N,) are what they are
    worth together, in shares of all occurrences of their order; `shared` (N,) are those that
    several nodes below would each store.
    """

    keys: Keys
    counts: Counts
    times: Counts
    weights: NDArray[np.float64]
    shared: NDArray[np.bool_]
    tokens: int
    lookups: int
    causal: bool = False
    """Whether the n-grams are a decoder's."""


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """`keys` (N,), sorted, that get a row, and their corpus `counts` (N,)."""

    keys: Keys
    counts: Counts


NO_KEYS: Keys = np.empty(0, dtype=np.int64)


def wanted_by_several(wanted: Sequence[Keys]) -> Keys:
    """Sorted keys that at least two of the `wanted`, each without repetition, have."""
    keys, times = np.unique(np.concatenate([NO_KEYS, *wanted]), return_counts=True)
    common: Keys = keys[times > 1]
    return common


def merge(
    found: NgramCounts,
    asked: Asked = NOTHING_ASKED,
    weight: float = TRAFFIC_WEIGHT,
    shared: Keys = NO_KEYS,
) -> Demand:
    """Weigh corpus and traffic, each taken as shares of its own occurrences.

    With C tokens and T lookups the traffic's shares count s = weight x T / (T + weight x C /
    WORTH), the corpus's 1 - s: a few lookups weigh like WORTH tokens each, many at most `weight`.
    Without a corpus, traffic is all there is.
    """
    if weight == 0:
        asked = NOTHING_ASKED
    three = asked.keys
    two = shortened_keys(three)
    of_traffic = np.concatenate([three, two, shortened_keys(two)])
    named = np.concatenate([found.keys, of_traffic, shared])
    keys, which = np.unique(named, return_inverse=True)
    which = which[: len(named) - len(shared)]
    counts = np.zeros(len(keys), dtype=np.int64)
    counts[which[: len(found.keys)]] = found.counts
    times = np.zeros(len(keys), dtype=np.int64)
    np.add.at(times, which[len(found.keys) :], np.tile(asked.times, SLOTS))
    tokens, lookups = found.tokens, asked.lookups
    if tokens == 0:
        share = 1.0
    else:
        share = weight * lookups / (lookups + weight * tokens / WORTH) if lookups else 0.0
    weights = (1 - share) * counts / max(tokens, 1) + share * times / max(lookups, 1)
    return Demand(
        keys, counts, times, weights, np.isin(keys, shared), tokens, lookups, found.causal
    )


def choose(
    demand: Demand, inherited: NDArray[np.bool_], alpha: float, budget: int, entry_bytes: int
) -> Choice:
    """What a node stores of its own, in `budget` bytes at `entry_bytes` each.

    `inherited` (N,) tells which of the demand's n-grams an ancestor answers as this node would:
    they count as covered and take no room. Every other unigram is kept, for there all back-off
    ends, and whatever is shared, for it saves more than it takes; then the trigrams worth most,
    then the bigrams, until own and inherited ones cover a share `alpha` of the corpus and of the
    traffic, or the budget is spent. BadInput if it is too small for the unigrams.
    """
    orders = order(demand.keys)
    named = (demand.counts > 0) | (demand.times > 0)
    chosen = np.flatnonzero((orders == 1) & named & ~inherited)
    room = budget // entry_bytes - len(chosen)
    if room < 0:
        needed = len(chosen) * entry_bytes
        raise BadInput(
            f"A budget of {budget:,} bytes does not hold the domain's {len(chosen):,} different "
            f"tokens, where all back-off ends; they take {needed:,}.",
            remedy=f"Give a budget of at least {needed} bytes.",
            code="budget_too_small",
        )
    parts = [chosen]
    covered = inherited.copy()
    covered[chosen] = True
    for size in (1, 3, 2):
        common = _rank(demand, np.flatnonzero((orders == size) & demand.shared & ~covered))[:room]
        room -= len(common)
        parts.append(common)
        covered[common] = True
    for size in (3, 2):
        here = orders == size
        wanted = _wanted(demand, here & ~covered, here & covered, alpha)[:room]
        room -= len(wanted)
        parts.append(wanted)
    taken = np.sort(np.concatenate(parts))
    return Choice(demand.keys[taken], demand.counts[taken])


def coverage(demand: Demand, seen: NDArray[np.bool_]) -> float:
    """What the trigrams that are `seen` (N,) are worth: a share of all occurrences."""
    three = order(demand.keys) == SLOTS
    return float(demand.weights[three & seen].sum())


def _wanted(
    demand: Demand, mine: NDArray[np.bool_], inherited: NDArray[np.bool_], alpha: float
) -> NDArray[np.int64]:
    """Places of those `mine` (N,) that `alpha` asks for besides the `inherited`, best first.

    The corpus asks for all that are worth as much as what it needs. The traffic may ask for more,
    but only of what it names: the rest of the corpus would be a long way down.
    """
    ranked = _rank(demand, np.flatnonzero(mine))
    reach = [
        _reach(counts[ranked], float(counts[inherited].sum()), alpha * total)
        for counts, total in ((demand.counts, demand.tokens), (demand.times, demand.lookups))
    ]
    place = np.arange(len(ranked))
    asked = (place < reach[1]) & (demand.times[ranked] > 0)
    return ranked[(place < reach[0]) | asked]


def _reach(counts: Counts, covered: float, enough: float) -> int:
    """How many of `counts` (N,), in order, it takes to get from `covered` to `enough`."""
    if covered >= enough:
        return 0
    return int(np.searchsorted(covered + np.cumsum(counts), enough, side="left")) + 1


def _rank(demand: Demand, places: NDArray[np.int64]) -> NDArray[np.int64]:
    """`places` of n-grams of one order, those worth most first.

    Most were seen once. Of equals, those come first whose parts are seen together most often:
    half of a table is such n-grams, and they are hit a tenth more often than any others.
    """
    weights, keys = demand.weights[places], demand.keys[places]
    return places[np.lexsort((keys, -_likelihood(demand, keys), -weights))]


def _likelihood(demand: Demand, keys: Keys) -> NDArray[np.float64]:
    """How often trigrams, in the text (a, b, c), would occur if c depended on b alone:
    (ab)(bc) / (b); 0 for shorter ones."""
    if not len(keys) or order(keys)[0] < SLOTS:
        return np.zeros(len(keys))
    grams = unpack(keys)
    absent = np.full(len(grams), ABSENT)
    second = shortened_keys(keys)
    # A decoder's slots are (a, c, b), and its pair (b, c) is written with c in the middle.
    a, b = grams[:, 0], grams[:, 2 if demand.causal else 1]
    first = [absent, b, a] if demand.causal else [absent, a, b]
    middle = _worth(demand, pack(np.column_stack([absent, b, absent])))
    pair = _worth(demand, pack(np.column_stack(first)))
    # A boundary to the left is no token of which pairs are counted.
    pair = np.where(pair == 0, middle, pair)
    return pair * _worth(demand, second) / np.maximum(middle, np.finfo(np.float64).tiny)


def _worth(demand: Demand, keys: Keys) -> NDArray[np.float64]:
    """Weights of `keys` (N,), 0 where there is no such n-gram."""
    place = np.searchsorted(demand.keys, keys) % len(demand.keys)
    return np.where(demand.keys[place] == keys, demand.weights[place], 0.0)
