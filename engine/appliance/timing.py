"""What an answer says of its way through the engine."""

from __future__ import annotations

from engine.appliance.asking import Asked
from engine.knowledge.retrieved import Lookups
from engine.schema import Timing, Usage
from engine.serving.work import Outcome


def usage_of(asked: Asked) -> Usage:
    return Usage(prompt_tokens=asked.tokens, total_tokens=asked.tokens)


def timing_of(asked: Asked) -> Timing:
    """Of the slowest of the request's batches; shares over all its tokens."""
    outcomes = asked.outcomes
    slowest = max(outcomes, key=lambda o: o.queue_s + o.retrieve_s + o.load_s + o.compute_s)
    found = _together(outcomes)
    fallback = next((o.fallback for o in outcomes if o.fallback is not None), None)
    return Timing(
        queue_s=slowest.queue_s,
        retrieve_s=slowest.retrieve_s,
        load_s=slowest.load_s,
        compute_s=slowest.compute_s,
        hit_rate=None if found is None else found.hits / found.tokens,
        cached_rate=None if found is None else found.cached / found.tokens,
        backed_off_rate=None if found is None else found.backed_off / found.tokens,
        computed_rate=None if found is None else found.computed / found.tokens,
        batch_size=slowest.batch_size,
        batch_models=slowest.batch_models,
        tier=asked.ticket.tier,
        mode=asked.mode if fallback is None else "exact",
        fallback=fallback,
    )


def _together(outcomes: list[Outcome]) -> Lookups | None:
    """All texts' lookups in one; None in exact mode."""
    each = [o.lookups for o in outcomes if o.lookups is not None]
    if not each:
        return None
    return Lookups(
        hits=sum(f.hits for f in each),
        cached=sum(f.cached for f in each),
        backed_off=sum(f.backed_off for f in each),
        computed=sum(f.computed for f in each),
    )
