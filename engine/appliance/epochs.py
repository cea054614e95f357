"""What is kept of each domain's epochs, and how often their tables were hit while they served."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from engine.knowledge.traffic import Traffic
from store.catalogue import Catalogue
from store.rows import EpochRow

Counted = tuple[int, int]
"""Hits and misses."""


class EpochBook:
    """Adds the lookups since it last looked to the epoch that serves. Traffic counts from the
    engine's start, so what is written down is the difference."""

    def __init__(
        self, catalogue: Catalogue, backbone: str, traffic: Callable[[], dict[str, Traffic]]
    ) -> None:
        """The epochs for one backbone, by its sha256."""
        self._catalogue = catalogue
        self._backbone = backbone
        self._traffic = traffic
        self._counted: dict[str, Counted] = {}
        self._published = catalogue.epochs.published(backbone)
        self._changing = threading.Lock()

    def published_at(self, domain: str) -> float | None:
        """When the epoch that serves was published; None if that is not known."""
        return self._published.get(domain)

    def publish(self, row: EpochRow, before: int) -> None:
        """The domain serves from `row` now; lookups until here were those of the epoch `before`."""
        self._settle(row.domain, before)
        self._catalogue.epochs.publish(row)
        self._published[row.domain] = row.published_at

    def of(self, domain: str) -> list[EpochRow]:
        """The newest first, the one that serves with its lookups until now."""
        rows = self._catalogue.epochs.of(domain, self._backbone)
        if not rows or rows[0].replaced_at is not None:
            return rows
        hits, misses = self._since(domain)
        now = replace(rows[0], hits=rows[0].hits + hits, lookups=rows[0].lookups + hits + misses)
        return [now, *rows[1:]]

    def save(self) -> None:
        """Write down the lookups of every domain's epoch."""
        for row in self._catalogue.domains.all(self._backbone):
            if row.epoch:
                self._settle(row.name, row.epoch)

    def forget(self, domain: str) -> None:
        """The domain is gone."""
        self._counted.pop(domain, None)
        self._published.pop(domain, None)

    def _settle(self, domain: str, epoch: int) -> None:
        with self._changing:
            hits, misses = self._since(domain)
            if hits or misses:
                self._catalogue.epochs.count(domain, epoch, hits, hits + misses)
                before = self._counted.get(domain, (0, 0))
                self._counted[domain] = before[0] + hits, before[1] + misses

    def _since(self, domain: str) -> Counted:
        """Hits and misses since they were last written down."""
        traffic = self._traffic().get(domain)
        if traffic is None:
            return 0, 0
        hits, misses = self._counted.get(domain, (0, 0))
        return max(0, traffic.hits - hits), max(0, traffic.misses - misses)
