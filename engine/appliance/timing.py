"""What an answer says of its way through the engine."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from typing import NamedTuple

from engine.appliance.asking import Asked
from engine.knowledge.retrieved import Lookups
from engine.memory.tiers import TierName
from engine.schema import Timing, Usage
from engine.schema.completions import CompletionTiming
from engine.serving.generation.order import Ended


class Shares(NamedTuple):
    """Of tokens, by how their rows were come by, as answers name them; they add up to 1. None in
    exact mode."""

    hit_rate: float | None = None
    cached_rate: float | None = None
    backed_off_rate: float | None = None
    computed_rate: float | None = None


def usage_of(asked: Asked) -> Usage:
    return Usage(prompt_tokens=asked.tokens, total_tokens=asked.tokens)


def timing_of(asked: Asked) -> Timing:
    """Of the slowest of the request's batches; shares over all its tokens."""
    outcomes = asked.outcomes
    slowest = max(outcomes, key=lambda o: o.queue_s + o.retrieve_s + o.load_s + o.compute_s)
    shares = shares_of([o.lookups for o in outcomes if o.lookups is not None])
    fallback = next((o.fallback for o in outcomes if o.fallback is not None), None)
    return Timing(
        queue_s=slowest.queue_s,
        retrieve_s=slowest.retrieve_s,
        load_s=slowest.load_s,
        compute_s=slowest.compute_s,
        **shares._asdict(),
        batch_size=slowest.batch_size,
        batch_models=slowest.batch_models,
        tier=asked.ticket.tier,
        mode=asked.mode if fallback is None else "exact",
        fallback=fallback,
    )


def timing_of_texts(ends: list[Ended], tier: TierName) -> CompletionTiming:
    """Of the whole request: its slowest text's, its earliest token; shares over all tokens."""
    slowest = max(ends, key=lambda end: end.total_s)
    shares = shares_of([end.lookups for end in ends if end.lookups is not None])
    return CompletionTiming(
        queue_s=slowest.queue_s,
        load_s=slowest.load_s,
        retrieve_s=slowest.retrieve_s,
        compute_s=slowest.compute_s,
        first_token_s=min(end.first_token_s for end in ends),
        total_s=slowest.total_s,
        **shares._asdict(),
        batch_size=slowest.batch_size,
        batch_models=slowest.batch_models,
        tier=tier,
        mode="exact" if ends[0].way.knowledge is None else "plot",
        fallback=ends[0].way.fallback,
    )


def shares_of(each: Sequence[Lookups]) -> Shares:
    """Over all of them together; none in exact mode."""
    if not each:
        return Shares()
    found = functools.reduce(operator.add, each)
    ways = (found.hits, found.cached, found.backed_off, found.computed)
    return Shares(*(way / found.tokens for way in ways))
