"""What the appliance answers about domains, their corpora and their tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engine.schema import (
    CorpusReceipt,
    Domain,
    DomainCreate,
    DomainEpoch,
    DomainEpochs,
    DomainTree,
    DomainUpdate,
    JobAccepted,
    Kind,
    NgramEntry,
    NgramPage,
    RebuildCost,
    RebuildRequest,
)
from tests.engine.api.scripted.transfers import Transfers

DOMAIN = Domain(
    name="reviews",
    parent="general",
    depth=1,
    epoch=2,
    entries=3,
    bytes=4,
    view_entries=5,
    hits=6,
    misses=7,
    hit_rate=0.5,
    corpus_bytes=8,
    corpus_lines=9,
    encoder="inherited",
    state="ready",
    vplms=1,
    created_at=1.0,
)

COST = RebuildCost(
    domain="reviews",
    epoch=3,
    tokens=100,
    lookups=0,
    entries=50,
    bytes=5000,
    seconds=1.5,
    train_seconds=0.0,
    disk_free_bytes=1 << 30,
)

EPOCH = DomainEpoch(
    epoch=2,
    entries=3,
    bytes=4,
    alpha=0.5,
    coverage=0.6,
    encoder="inherited",
    seconds=1.0,
    hits=6,
    lookups=13,
    hit_rate=6 / 13,
    published_at=1.0,
    replaced_at=None,
)


class DomainAnswers(Transfers):
    def domains(self, kind: Kind) -> DomainTree:
        self._do("domains", kind)
        return DomainTree(data=[DOMAIN])

    def domain(self, name: str, kind: Kind) -> Domain:
        self._do("domain", name, kind)
        return DOMAIN

    def create_domain(self, request: DomainCreate) -> Domain:
        self._do("create_domain", request)
        return DOMAIN

    def change_domain(self, name: str, update: DomainUpdate) -> Domain:
        self._do("change_domain", name, update)
        return DOMAIN

    def corpus(self, name: str) -> CorpusReceipt:
        self._do("corpus", name)
        return CorpusReceipt(domain=name, lines=1, bytes=2, sha256="ab")

    def put_corpus(self, name: str, chunks: Iterator[bytes]) -> CorpusReceipt:
        self._do("put_corpus", name)
        self._take(chunks)
        return CorpusReceipt(domain=name, lines=1, bytes=len(self.received), sha256="ab")

    def rebuild_domain(self, name: str, request: RebuildRequest) -> JobAccepted:
        self._do("rebuild_domain", name, request)
        return JobAccepted(id="j1")

    def rebuild_cost(self, name: str, request: RebuildRequest) -> RebuildCost:
        self._do("rebuild_cost", name, request)
        return COST

    def epochs(self, name: str, kind: Kind) -> DomainEpochs:
        self._do("epochs", name, kind)
        return DomainEpochs(data=[EPOCH])

    def ngrams(self, name: str, q: str, limit: int, kind: Kind) -> NgramPage:
        self._do("ngrams", name, q, limit, kind)
        entry = NgramEntry(text="a b c", ids=[1, 2, 3], count=2, hits=1, source="general")
        return NgramPage(data=[entry], total=1)

    def encoder_file(self, name: str, kind: Kind) -> Path:
        self._do("encoder_file", name, kind)
        return self.file

    def remove_domain(self, name: str) -> None:
        self._do("remove_domain", name)
