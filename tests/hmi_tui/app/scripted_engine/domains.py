"""What the engine in memory answers about domains, their corpora and their tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.schema import (
    CorpusReceipt,
    Domain,
    DomainEpoch,
    DomainEpochs,
    JobAccepted,
    Kind,
    NgramEntry,
    NgramPage,
    RebuildCost,
    RebuildRequest,
)
from tests.hmi_tui.app.engine_documents import NOW, domain, job, sha
from tests.hmi_tui.app.scripted_engine.jobs import JobAnswers


def a_cost(domain: str, **more: Any) -> RebuildCost:
    values: dict[str, Any] = {
        "domain": domain,
        "epoch": 4,
        "tokens": 240_000,
        "lookups": 0,
        "entries": 52_100,
        "bytes": 20 << 20,
        "seconds": 14.0,
        "train_seconds": 0.0,
        "disk_free_bytes": 41 << 30,
    }
    return RebuildCost.model_validate(values | more)


def some_epochs() -> list[DomainEpoch]:
    """Three, the newest first; the newest serves."""
    return [
        DomainEpoch(
            epoch=number,
            entries=30_000 + 4_000 * number,
            bytes=(20 + number) << 20,
            alpha=0.5,
            coverage=0.5 + 0.05 * number,
            encoder="inherited",
            seconds=9.0 + number,
            hits=600 + 50 * number,
            lookups=1000,
            hit_rate=0.6 + 0.05 * number,
            published_at=NOW - 86_400 * (4 - number),
            replaced_at=None if number == 3 else NOW - 86_400 * (3 - number),
        )
        for number in (3, 2, 1)
    ]


@dataclass
class DomainAnswers(JobAnswers):
    """A rebuild is a job."""

    domain_rows: list[Domain] = field(default_factory=list)
    generator_rows: list[Domain] | None = None
    """The same tree for generators; None: nothing can generate."""

    async def create_domain(self, name: str, parent: str = "general") -> Domain:
        self._answer("create_domain", name, parent)
        made = domain(name, parent, 1, 0, entries=0, state="empty", hit_rate=None, corpus_bytes=0)
        self.domain_rows.append(made)
        return made

    async def put_corpus(self, name: str, data: Path) -> CorpusReceipt:
        self._answer("put_corpus", name, data)
        warnings = ["The corpus is tiny."]
        return CorpusReceipt(domain=name, lines=3, bytes=30, sha256=sha("c"), warnings=warnings)

    async def rebuild_domain(self, name: str, request: RebuildRequest | None = None) -> JobAccepted:
        self._answer("rebuild_domain", name, request)
        self.job_rows.insert(0, job("r1", name, "running", type="rebuild", loss=[], accuracy=[]))
        self.domain_rows = [
            row.model_copy(update={"state": "rebuilding"}) if row.name == name else row
            for row in self.domain_rows
        ]
        return JobAccepted(id="r1")

    async def change_domain(self, name: str, *changes: object) -> Domain:
        self._answer("change_domain", name, *changes)
        return next(row for row in self.domain_rows if row.name == name)

    async def rebuild_cost(self, name: str, request: RebuildRequest | None = None) -> RebuildCost:
        wanted = request or RebuildRequest()
        self._answer("rebuild_cost", name, wanted)
        return a_cost(name, train_seconds=60 * wanted.train_minutes)

    async def epochs(self, name: str, kind: Kind = "classifier") -> DomainEpochs:
        self._answer("epochs", name, kind)
        known = any(row.name == name and row.epoch for row in self.domain_rows)
        return DomainEpochs(data=some_epochs() if known else [])

    async def ngrams(
        self, name: str, q: str = "", limit: int = 50, kind: Kind = "classifier"
    ) -> NgramPage:
        self._answer("ngrams", name, kind)
        words = ["of the film", "one of the", "the most", "a gorgeous ,", "it 's a", "in the end"]
        rows = [
            NgramEntry(text=text, ids=[1, 2, 3], count=900 - n, hits=4000 - 90 * n, source=name)
            for n, text in enumerate(words)
            if q in text
        ]
        known = any(row.name == name and row.epoch for row in self.domain_rows)
        return NgramPage(data=rows if known else [], total=len(rows) if known else 0)

    async def remove_domain(self, name: str) -> None:
        self._answer("remove_domain", name)
        self.domain_rows = [row for row in self.domain_rows if row.name != name]
