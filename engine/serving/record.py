"""What is said of a batch once it is through: for metrics, spans and the traffic of its domains."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from engine.knowledge.retrieved import Lookups
from engine.serving.batch import Batch

NAMED_VPLMS = 8
"""vPLMs of a batch that are named."""


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """What one batch was and how long its stages took. Instants are perf_counter seconds."""

    number: int
    texts: int
    tokens: int
    models: int
    tenants: tuple[tuple[str, int], ...]
    """With their texts, most first."""
    vplms: tuple[tuple[str, int], ...]
    """Those with most texts, most first, with how many."""
    lookups: tuple[tuple[str, Lookups], ...]
    """By domain."""
    oldest: float
    """When its oldest text was accepted."""
    taken: float
    began: dict[str, float]
    """By stage, beside `seconds`."""
    seconds: dict[str, float]
    failed: int

    @classmethod
    def of(cls, batch: Batch) -> BatchRecord:
        works = batch.works
        lookups = tuple(
            (group.knowledge.domain, group.retrieved.lookups())
            for group in batch.groups
            if group.knowledge is not None and group.retrieved is not None
        )
        return cls(
            number=batch.number,
            texts=len(works),
            tokens=batch.tokens,
            models=len(batch.adapters),
            tenants=tuple(Counter(w.model.tenant for w in works).most_common()),
            vplms=tuple(Counter(w.model.id for w in works).most_common(NAMED_VPLMS)),
            lookups=lookups,
            oldest=min(w.accepted for w in works),
            taken=batch.taken,
            began=dict(batch.began),
            seconds=dict(batch.seconds),
            failed=sum(w.model.adapter in batch.errors for w in works),
        )
