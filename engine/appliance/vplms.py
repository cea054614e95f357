"""Calls about vPLMs and the adapters they are made of."""

from __future__ import annotations

import time
from collections.abc import Sequence

from engine.appliance.calls import Calls, next_cursor, offset_of
from engine.appliance.models import miss_of, task_name
from engine.appliance.publishing import forget_versions
from engine.appliance.quota import Allowance
from engine.appliance.source import adapter_bytes, store_adapters
from engine.appliance.starting import Start, start_of, weights_of
from engine.errors import BadInput, QuotaReached
from engine.model.adapters import AdapterShape
from engine.schema import (
    BulkCreated,
    Created,
    ModelCard,
    ModelList,
    Vplm,
    VplmBulkCreate,
    VplmCreate,
    VplmPage,
    VplmPatch,
    VplmSpec,
)
from engine.size.shapes import bert_base_bytes
from store.rows import AdapterRow, VplmRow


class VplmCalls(Calls):
    def vplms(
        self,
        q: str,
        tenant: str | None,
        sort: str | None,
        limit: int,
        cursor: str | None,
        fuzzy: bool = False,
    ) -> VplmPage:
        offset = offset_of(cursor)
        known = self._core.catalogue.vplms
        rows, total = known.page(q, tenant, sort, limit, offset, fuzzy=fuzzy)
        sizes = self._core.catalogue.adapters.bytes_of(row.adapter for row in rows)
        return VplmPage(
            data=[self._vplm(row, sizes.get(row.adapter, 0)) for row in rows],
            total=total,
            next_cursor=next_cursor(offset, len(rows), total),
        )

    def vplm(self, id: str) -> Vplm:
        return self._vplm(self._core.catalogue.vplms.get(id))

    def create_vplm(self, request: VplmCreate) -> Created:
        with self._core.blobs.keeping():
            start = self._create(request, [request.name])
        made = self.vplm(f"{request.tenant}/{request.name}")
        return Created(**made.model_dump(), started_from=start.source, head=start.head)

    def create_vplms(self, request: VplmBulkCreate) -> BulkCreated:
        numbers = range(request.first, request.first + request.count)
        names = [f"{request.name}-{i:05d}" for i in numbers]
        with self._core.blobs.keeping():
            start = self._create(request, names)
        return BulkCreated(
            created=[f"{request.tenant}/{name}" for name in names],
            started_from=start.source,
            head=start.head,
        )

    def change_vplm(self, id: str, patch: VplmPatch) -> Vplm:
        core = self._core
        with core.changing:
            row = core.catalogue.vplms.get(id)
            if patch.domain is not None:
                row = core.catalogue.vplms.change(id, domain=patch.domain)
            if patch.mode is not None:
                row = core.catalogue.vplms.change(id, mode=patch.mode)
            if "miss" in patch.model_fields_set:
                row = core.catalogue.vplms.change(id, miss=patch.miss)
            if patch.pin is not None:
                row = core.catalogue.vplms.change(id, pinned=patch.pin)
                core.tiers.pin(row.adapter, pinned=core.pinned(row.adapter))
            core.models.put(row)
        return self._vplm(row)

    def remove_vplm(self, id: str) -> None:
        core = self._core
        with core.changing:
            adapters = forget_versions(core, core.catalogue.vplms.get(id))
            core.catalogue.vplms.remove(id)
            core.models.drop(id)
            core.usage.drop(id)
            for adapter in adapters:
                core.discard_if_unused(adapter)

    def models(self, tenant: str | None = None) -> ModelList:
        """All, or one tenant's."""
        return ModelList(
            data=[
                ModelCard(id=row.id, created=int(row.created_at), owned_by=row.tenant)
                for row in self._core.catalogue.vplms.page(tenant=tenant, limit=-1)[0]
            ]
        )

    def _create(self, spec: VplmSpec, names: list[str]) -> Start:
        core = self._core
        core.catalogue.tenants.get(spec.tenant)
        if spec.domain is not None:
            core.catalogue.domains.get(spec.domain)
        self._check_quota(spec, len(names))
        start = start_of(core, spec)
        self._check_bytes(spec, start, len(names))
        if start.shared is not None:
            with core.changing:
                # Again, for it may have gone meanwhile.
                core.catalogue.adapters.get(start.shared.id)
                self._add(spec, start, names, [start.shared] * len(names), ())
            return start
        self._check_rank(spec)
        if start.task == "embedding":
            # All of them share one adapter, which the last of its users must not take away between
            # storing and entering it.
            with core.changing:
                self._add_new(spec, start, names)
        else:
            self._add_new(spec, start, names)
        return start

    def _add_new(self, spec: VplmSpec, start: Start, names: list[str]) -> None:
        core = self._core
        adapters = store_adapters(
            core.blobs,
            core.backbone,
            weights_of(core, start, spec, len(names)),
            domain=start.domain,
            labels=start.labels,
            created_by=start.source,
            task=start.task,
        )
        with core.changing:
            try:
                self._add(spec, start, names, adapters, adapters)
            except BaseException:
                # Their rows are not there, so their blobs must not stay either.
                for adapter in {row.id for row in adapters} - core.catalogue.blob_ids():
                    core.forget_blob(adapter)
                raise

    def _add(
        self,
        spec: VplmSpec,
        start: Start,
        names: list[str],
        adapters: Sequence[AdapterRow],
        new: Sequence[AdapterRow],
    ) -> None:
        """Enter vPLMs with `adapters`, of which `new` are not in the catalogue yet."""
        core, now = self._core, time.time()
        self._check_quota(spec, len(names))
        self._check_bytes(spec, start, len(names))
        rows = [
            VplmRow(
                spec.tenant,
                name,
                spec.kind,
                start.domain,
                start.labels,
                start.mode,
                adapter.rank,
                adapter.id,
                1,
                pinned=False,
                accuracy=None,
                created_at=now,
                miss=spec.miss,
                task=start.task,
            )
            for name, adapter in zip(names, adapters, strict=True)
        ]
        core.catalogue.vplms.add_many(rows, adapters=new, source=start.source)
        for row in rows:
            core.models.put(row)

    def _check_rank(self, spec: VplmSpec) -> None:
        limit = self._core.adapter_shape.rank
        if spec.rank > limit:
            raise BadInput(
                f"Rank {spec.rank} does not fit: the arena's slots are made for rank {limit}.",
                remedy=f"Choose a rank from 1 to {limit}.",
                code="rank_too_high",
            )

    def _check_quota(self, spec: VplmSpec, more: int) -> None:
        core = self._core
        quota = core.catalogue.tenants.get(spec.tenant).quota.get("vplms")
        have = core.catalogue.vplms.count(spec.tenant)
        if quota is not None and have + more > quota:
            raise QuotaReached(
                f'Tenant "{spec.tenant}" has {have} vPLMs and may have {quota:.0f}; '
                f"{more} more would be too many.",
                remedy=f"Remove some, or raise the quota (hmi tenant set {spec.tenant}).",
                code="quota_vplms",
            )

    def _check_bytes(self, spec: VplmSpec, start: Start, more: int) -> None:
        """QuotaReached if the tenant's quota has no room for the adapters of `more` vPLMs."""
        core = self._core
        allowance = Allowance.of(core.catalogue, spec.tenant)
        if allowance.limit is None:
            return
        if start.shared is not None:
            if not core.catalogue.holdings.uses(spec.tenant, start.shared.id):
                allowance.check(start.shared.bytes, 0, "the adapter takes")
            return
        fits = core.adapter_shape
        rank = spec.rank if start.adapter is None else start.adapter.rank
        # Embedding vPLMs that start from nothing share one adapter of rank 1.
        alike = start.task == "embedding" and start.adapter is None
        rank = 1 if alike else rank
        shape = AdapterShape(fits.layers, fits.hidden, rank)
        each = adapter_bytes(core.backbone, shape, start.domain, start.labels, start.source)
        # Copies with a head in another order are all the same file.
        count = 1 if alike or start.head == "reordered" else more
        allowance.check(count * each, 0, f"{count} adapters take" if count > 1 else "one takes")

    def _vplm(self, row: VplmRow, stored_bytes: int | None = None) -> Vplm:
        """`stored_bytes`: its adapter's, 0 if it was removed or replaced since the row was read;
        left out, they are looked up."""
        core = self._core
        if stored_bytes is None:
            stored_bytes = core.catalogue.adapters.bytes_of([row.adapter]).get(row.adapter, 0)
        head = len(row.labels) * (core.backbone.shape.hidden + 1) * 4
        return Vplm(
            id=row.id,
            tenant=row.tenant,
            name=row.name,
            kind=row.kind,
            task=task_name(row.task),
            domain=row.domain,
            labels=list(row.labels),
            mode="exact" if row.mode == "exact" else "plot",
            rank=row.rank,
            adapter=row.adapter,
            version=row.version,
            tier=core.tiers.tier(row.adapter),
            pinned=row.pinned,
            stored_bytes=stored_bytes,
            dedicated_bytes=core.backbone.dedicated_bytes + head,
            bert_base_bytes=bert_base_bytes(len(row.labels)),
            accuracy=row.accuracy,
            requests=core.models.requests[row.id],
            created_at=row.created_at,
            miss=miss_of(row),
            last_used=core.usage.last_used(row.id, row.last_used),
        )
