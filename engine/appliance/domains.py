"""Calls about the tree of domains: corpora, rebuilds, what its tables hold."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

from engine.appliance.calls import Calls
from engine.errors import BadInput, Conflict, NotFound
from engine.knowledge.build import BuildPlan, build_table, entry_bytes
from engine.knowledge.tree import Traffic
from engine.model.ngrams import ABSENT, unpack
from engine.schema import (
    CorpusReceipt,
    Domain,
    DomainCreate,
    DomainTree,
    JobAccepted,
    NgramEntry,
    NgramPage,
    RebuildRequest,
)
from engine.training.jobs import JobContext
from store.errors import NotFound as NotFoundInStore
from store.errors import StoreError
from store.rows import DomainRow


class DomainCalls(Calls):
    def domains(self) -> DomainTree:
        depth: dict[str | None, int] = {None: -1}
        data: list[Domain] = []
        for row in self._core.catalogue.domains.all():
            depth[row.name] = depth[row.parent] + 1
            # One that comes or goes right now is in the catalogue alone.
            with contextlib.suppress(NotFound):
                data.append(self._domain(row, depth[row.name]))
        return DomainTree(data=data)

    def domain(self, name: str) -> Domain:
        self._core.catalogue.domains.get(name)
        found = next((d for d in self.domains().data if d.name == name), None)
        if found is None:
            raise NotFound(f'There is no domain "{name}".', remedy="hmi domain ls lists them.")
        return found

    def create_domain(self, request: DomainCreate) -> Domain:
        core = self._core
        row = DomainRow(request.name, request.parent, 0, "empty", None, 0, 0, {}, time.time())
        with core.changing:
            core.catalogue.domains.add(row)
            # What an engine that was killed left of a domain of that name is not this one's.
            core.corpora.remove(request.name)
            core.tree.put(row)
        return self.domain(request.name)

    def put_corpus(self, name: str, chunks: Iterator[bytes]) -> CorpusReceipt:
        core = self._core
        core.catalogue.domains.get(name)
        info = core.corpora.put(name, chunks)
        with core.changing:
            try:
                core.catalogue.domains.change(
                    name, corpus_bytes=info.bytes, corpus_lines=info.lines
                )
            except NotFoundInStore:
                core.corpora.remove(name)
                raise
        return CorpusReceipt(domain=name, lines=info.lines, bytes=info.bytes, sha256=info.sha256)

    def rebuild_domain(self, name: str, request: RebuildRequest) -> JobAccepted:
        core = self._core
        core.catalogue.domains.get(name)
        if not core.corpora.exists(name):
            raise BadInput(
                f'Domain "{name}" has no corpus to build its table from.',
                remedy=f"Upload one: PUT /v1/domains/{name}/corpus, or hmi domain create with "
                "--corpus.",
                code="no_corpus",
            )
        needed = entry_bytes(core.backbone.shape.hidden)
        if request.budget_bytes < needed:
            raise BadInput(
                f"A budget of {request.budget_bytes} bytes holds no entry; one takes {needed}.",
                remedy="Give a budget of at least 1M.",
                code="budget_too_small",
            )
        params = request.model_dump()
        job = core.jobs.submit(
            "rebuild",
            name,
            params,
            lambda context: self._rebuild(name, request, context),
            when_idle=False,
        )
        return JobAccepted(id=job)

    def ngrams(self, name: str, q: str, limit: int) -> NgramPage:
        core = self._core
        view = core.tree.take(name).view
        keys, counts, hits, rows = view.used()
        grams = unpack(keys)
        wanted = q.casefold()
        data: list[NgramEntry] = []
        total = 0
        for i in range(len(keys)):
            # Without a filter there is no need to spell out what will not be shown.
            if not wanted and len(data) == limit:
                total = len(keys)
                break
            text = self._spell(grams[i].tolist())
            if wanted not in text.casefold():
                continue
            total += 1
            if len(data) < limit:
                data.append(
                    NgramEntry(
                        text=text,
                        ids=grams[i].tolist(),
                        count=int(counts[i]),
                        hits=int(hits[i]),
                        source=view.source(int(rows[i])),
                    )
                )
        return NgramPage(data=data, total=total)

    def remove_domain(self, name: str) -> None:
        core = self._core
        with core.changing:
            busy = [j for j in core.catalogue.jobs.page("running")[0] if j.subject == name]
            if any(job.type == "rebuild" for job in busy):
                raise Conflict(
                    f'Domain "{name}" is being rebuilt.',
                    remedy=f"Cancel job {busy[0].id} first, or wait for it.",
                )
            core.catalogue.domains.remove(name)
            # First the vPLMs, then the tree: a request that waits finds where its vPLM is now.
            for row in core.catalogue.vplms.all():
                core.models.put(row)
            core.tree.remove(name)
            core.tables.remove(name)
            core.corpora.remove(name)

    def _rebuild(self, name: str, request: RebuildRequest, context: JobContext) -> dict[str, Any]:
        core = self._core
        before = core.catalogue.domains.get(name)
        epoch = before.epoch + 1
        knowledge = core.tree.take(name)
        plan = BuildPlan(request.alpha, request.budget_bytes, request.threshold)
        core.catalogue.domains.change(name, state="rebuilding")
        try:
            shape = (3, core.backbone.shape.hidden)
            with core.tables.writer(name, epoch, shape, "float16") as writer:
                report = build_table(
                    writer,
                    core.corpora.lines(name),
                    before.corpus_lines,
                    core.backbone,
                    knowledge.encoder,
                    core.tree.inherited(name),
                    plan,
                    context.update,
                    context.cancelled,
                )
                writer.meta["backbone_sha256"] = core.backbone.checkpoint.sha256
                writer.meta["alpha"] = request.alpha
                writer.commit()
            self._publish_table(name, epoch, request)
        except BaseException:
            with contextlib.suppress(StoreError):
                core.catalogue.domains.change(name, state=before.state)
            raise
        core.tables.remove(name, before.epoch)
        core.events.emit("epoch", {"domain": name, "epoch": epoch, "entries": report.kept})
        context.message = (
            f"epoch {epoch}: {report.kept:,} entries, {report.coverage:.0%} of the corpus's "
            f"trigrams covered, in {report.seconds:.0f} s"
        )
        return {
            "epoch": epoch,
            "tokens": report.tokens,
            "distinct": report.distinct,
            "chosen": report.chosen,
            "entries": report.kept,
            "coverage": round(report.coverage, 4),
            "seconds": round(report.seconds, 3),
        }

    def _publish_table(self, name: str, epoch: int, request: RebuildRequest) -> None:
        core = self._core
        with core.changing:
            try:
                row = core.catalogue.domains.change(
                    name, epoch=epoch, state="ready", params=request.model_dump()
                )
            except BaseException:
                core.tables.remove(name, epoch)
                raise
            core.tree.put(row)

    def _domain(self, row: DomainRow, depth: int) -> Domain:
        core = self._core
        knowledge = core.tree.take(row.name)
        own, traffic = core.tree.own(row.name), core.tree.traffic.get(row.name, Traffic())
        misses = traffic.missed
        seen = traffic.hits + misses
        return Domain(
            name=row.name,
            parent=row.parent,
            depth=depth,
            epoch=row.epoch,
            entries=0 if own is None else len(own.keys),
            bytes=0 if own is None else own.nbytes,
            view_entries=knowledge.view.entries,
            hits=traffic.hits,
            misses=misses,
            hit_rate=traffic.hits / seen if seen else None,
            corpus_bytes=row.corpus_bytes,
            corpus_lines=row.corpus_lines,
            encoder="inherited" if row.encoder is None else "own",
            state="damaged" if knowledge.damage else row.state,
            vplms=core.catalogue.vplms.count(domain=row.name),
            created_at=row.created_at,
        )

    def _spell(self, ids: list[int]) -> str:
        """An n-gram as text; a boundary is shown as a bar, an absent slot not at all."""
        core = self._core
        boundary = core.encoder.boundary
        words = [
            "|" if i == boundary else str(core.backbone.tokenizer.convert_ids_to_tokens(i))
            for i in ids
            if i != ABSENT
        ]
        return " ".join(words)
