"""Calls about the tree of domains: corpora, rebuilds, what its tables hold."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.appliance.calls import Calls
from engine.appliance.domain_pages import domain_of, epochs_of, ngram_page
from engine.appliance.encoder_training import checkpoint_of
from engine.appliance.rebuild import Rebuild, wanted_below
from engine.appliance.rebuild_cost import rebuild_cost
from engine.appliance.stack import Stack
from engine.appliance.stacks import JOB_PATIENCE_S, PATIENCE_S
from engine.errors import BadInput, Conflict, NotFound
from engine.knowledge.build import entry_bytes
from engine.knowledge.encoder_file import bundled_file
from engine.knowledge.expected import expect
from engine.schema import (
    CorpusReceipt,
    Domain,
    DomainCreate,
    DomainEpochs,
    DomainTree,
    DomainUpdate,
    JobAccepted,
    Kind,
    NgramPage,
    RebuildCost,
    RebuildRequest,
)
from engine.training.job import JobContext
from store import sums
from store.corpus_files import CorpusInfo
from store.errors import NotFound as NotFoundInStore
from store.rows import DomainRow, JobRow

TINY = 64 << 10
"""Bytes of a corpus up to which its uploader is told what to expect of it."""


class DomainCalls(Calls):
    def domains(self, kind: Kind = "classifier") -> DomainTree:
        """The tree, with what it knows for the backbone of that kind. Unavailable without one."""
        stack = self._core.stack_for(kind)
        depth: dict[str | None, int] = {None: -1}
        data: list[Domain] = []
        for row in self._core.catalogue.domains.all(stack.sha256):
            depth[row.name] = depth[row.parent] + 1
            # One that comes or goes right now is in the catalogue alone.
            with contextlib.suppress(NotFound):
                data.append(domain_of(self._core, stack, kind, row, depth[row.name]))
        return DomainTree(data=data)

    def domain(self, name: str, kind: Kind = "classifier") -> Domain:
        self._core.catalogue.domains.get(name)
        found = next((d for d in self.domains(kind).data if d.name == name), None)
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
            for stack in core.stacks():
                stack.tree.put(replace(row, backbone=stack.sha256))
        return self.domain(request.name)

    def change_domain(self, name: str, update: DomainUpdate) -> Domain:
        core = self._core
        with core.changing:
            if update.parent is not None:
                self._refuse_while_rebuilt(name)
                core.catalogue.domains.change(name, parent=update.parent)
                for stack in core.stacks():
                    stack.tree.put(core.catalogue.domains.get(name, stack.sha256))
                core.mended.discard(name)
            if policy := update.policy():
                before = core.catalogue.domains.get(name).policy
                core.catalogue.domains.change(name, policy=before | policy)
        return self.domain(name)

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
        return CorpusReceipt(
            domain=name,
            lines=info.lines,
            bytes=info.bytes,
            sha256=info.sha256,
            warnings=self._warnings(name, info),
        )

    def corpus(self, name: str) -> CorpusReceipt:
        """What its text is, read again. NotFound before the first."""
        core = self._core
        row = core.catalogue.domains.get(name)
        sha256 = core.corpora.sha256(name)
        return CorpusReceipt(
            domain=name, lines=row.corpus_lines, bytes=row.corpus_bytes, sha256=sha256
        )

    def rebuild_domain(self, name: str, request: RebuildRequest) -> JobAccepted:
        core = self._core
        core.catalogue.domains.get(name)
        request = self._decided(name, request)
        with self._stack(request, PATIENCE_S) as stack:
            self._check_rebuild(stack, name, request)

        def run(context: JobContext) -> dict[str, Any]:
            with self._stack(request, JOB_PATIENCE_S) as stack:
                return Rebuild(core, stack, name, request, context).run_kept()

        with core.changing:
            self._refuse_second_rebuild(name)
            params = request.model_dump()
            job = core.jobs.submit("rebuild", name, params, run, when_idle=False)
        return JobAccepted(id=job, kind=request.kind)

    @contextlib.contextmanager
    def _stack(self, request: RebuildRequest, patience_s: float) -> Iterator[Stack]:
        """That of the backbone that a decided request is for, held meanwhile. NotFound."""
        core = self._core
        if request.kind == "generator":
            yield core.stack_for(request.kind)
            return
        own, named = core.stack.sha256, request.backbone
        sha256 = own if named is None else core.known.named(named).sha256
        with core.backbones.held(sha256, patience_s) as stack:
            yield stack

    def _check_rebuild(self, stack: Stack, name: str, request: RebuildRequest) -> None:
        """BadInput if there is nothing to build from, or no room for it."""
        core = self._core
        known = stack.tree.take(name)
        shared = len(wanted_below(core, stack, name)) > 1
        unasked = known.traffic.asked(known.view).lookups == 0 and not shared
        if (unasked or request.train_minutes > 0) and not core.corpora.exists(name):
            raise BadInput(
                f'Domain "{name}" has no corpus to build its table from.',
                remedy=f"Upload one: PUT /v1/domains/{name}/corpus, or hmi domain create with "
                "--corpus. A table can also be made of its traffic, once there is some, or of what "
                "domains below it share.",
                code="no_corpus",
            )
        needed = entry_bytes(stack.backbone.shape.hidden)
        if request.budget_bytes < needed:
            raise BadInput(
                f"A budget of {request.budget_bytes} bytes holds no entry; one takes {needed}.",
                remedy="Give a budget of at least 1M.",
                code="budget_too_small",
            )

    def rebuild_cost(self, name: str, request: RebuildRequest) -> RebuildCost:
        self._core.catalogue.domains.get(name)
        request = self._decided(name, request)
        with self._stack(request, PATIENCE_S) as stack:
            return rebuild_cost(self._core, stack, name, request)

    def epochs(self, name: str, kind: Kind = "classifier") -> DomainEpochs:
        self._core.catalogue.domains.get(name)
        return epochs_of(self._core.stack_for(kind), name)

    def encoder_file(self, name: str, kind: Kind = "classifier") -> Path:
        """The file of the node's own encoder and bridge for the backbone of that kind."""
        core, stack = self._core, self._core.stack_for(kind)
        again = f"hmi domain rebuild {name} --kind {kind} --train-minutes"
        row = core.catalogue.domains.get(name, stack.sha256)
        if row.encoder is not None:
            return core.blobs.path(row.encoder)
        if row.parent is not None:
            raise NotFound(
                f'Domain "{name}" has no encoder of its own, it uses its parent\'s.',
                remedy=f"Train one: {again} 10.",
                code="no_encoder",
            )
        causal = kind == "generator"
        path = bundled_file(stack.backbone.split, causal=causal)
        if core.settings.encoder is not None and not causal:
            path = core.settings.encoder
        damage = stack.tree.take(name).damage
        if (damage is not None and damage.code == "no_encoder") or not path.is_file():
            raise NotFound(
                "There is no general encoder for this backbone yet.",
                remedy=f"Train one: {again} 60.",
                code="no_encoder",
            )
        return path

    def ngrams(self, name: str, q: str, limit: int, kind: Kind = "classifier") -> NgramPage:
        return ngram_page(self._core.stack_for(kind), name, q, limit)

    def remove_domain(self, name: str) -> None:
        core = self._core
        with core.changing:
            self._refuse_while_rebuilt(name)
            known = core.catalogue.domains.known(name)
            core.catalogue.domains.remove(name)
            # First the vPLMs, then the tree: a request that waits finds where its vPLM is now.
            for vplm in core.catalogue.vplms.all():
                core.models.put(vplm)
            for stack in core.stacks():
                stack.tree.remove(name)
                stack.epochs.forget(name)
            core.tables.remove(name)
            core.corpora.remove(name)
            for each in known:
                if each.encoder is not None:
                    core.leftovers.forget(each.encoder)
            for backbone in {each.backbone for each in known}:
                sums.remove(checkpoint_of(core, name, backbone))
            core.mended.discard(name)

    def _decided(self, name: str, request: RebuildRequest) -> RebuildRequest:
        """The same, with the kind that it is for. BadInput for generators' backbone by name."""
        if request.backbone is not None:
            if request.kind == "generator":
                raise BadInput(
                    "Generators rest on one decoder, which is not chosen by name.",
                    remedy="Leave the backbone out.",
                )
            return request.model_copy(update={"kind": "classifier"})
        if request.kind is not None:
            return request
        vplms = self._core.catalogue.vplms
        generators = vplms.count(domain=name, kind="generator")
        alone = generators > 0 and generators == vplms.count(domain=name)
        return request.model_copy(update={"kind": "generator" if alone else "classifier"})

    def _rebuilds(self, name: str) -> list[JobRow]:
        """Rebuilds of a domain that wait or run; the one that runs is the first."""
        jobs = self._core.jobs
        live = map(jobs.seen, self._core.catalogue.jobs.live("rebuild", name))
        return [job for job in live if job.state in ("queued", "running")]

    def _refuse_second_rebuild(self, name: str) -> None:
        for job in self._rebuilds(name):
            how = "is being rebuilt" if job.state == "running" else "waits to be rebuilt"
            raise Conflict(
                f'Domain "{name}" {how} already, by job {job.id}.',
                remedy=f"Wait for it (hmi job show {job.id}), or end it (hmi job cancel {job.id}).",
                code="rebuild_under_way",
            )

    def _refuse_while_rebuilt(self, name: str) -> None:
        for job in self._rebuilds(name):
            if job.state == "running":
                raise Conflict(
                    f'Domain "{name}" is being rebuilt.',
                    remedy=f"Cancel job {job.id} first, or wait for it.",
                )

    def _warnings(self, name: str, info: CorpusInfo) -> list[str]:
        """What the operator of a tiny corpus should know before a table is built of it."""
        if info.bytes > TINY:
            return []
        core = self._core
        boundary = core.tree.take(name).encoder.boundary
        found = expect(core.backbone, core.corpora.lines(name), boundary)
        told = (
            f"The corpus is tiny: {info.lines:,} documents, {found.tokens:,} tokens. Its own table "
            f"will hit on at most about {found.hit_rate:.0%} of the tokens of new text like it; "
            "the rest is inherited or computed. More text raises that."
        )
        return [told]
