"""Calls about vPLMs and the adapters they are made of."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence

import torch

from engine.appliance.calls import Calls, next_cursor, offset_of
from engine.appliance.models import miss_of, task_name
from engine.appliance.source import store_adapters
from engine.errors import BadInput, Refused
from engine.model.adapters import (
    AdapterShape,
    AdapterWeights,
    identity_adapter,
    random_adapter,
)
from engine.schema import (
    BulkCreated,
    ModelCard,
    ModelList,
    Vplm,
    VplmBulkCreate,
    VplmCreate,
    VplmPage,
    VplmPatch,
    VplmSpec,
)
from store.rows import AdapterRow, VplmRow

RANDOM = "random"


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

    def create_vplm(self, request: VplmCreate) -> Vplm:
        self._create(request, [request.name])
        return self.vplm(f"{request.tenant}/{request.name}")

    def create_vplms(self, request: VplmBulkCreate) -> BulkCreated:
        names = [f"{request.name}-{i:05d}" for i in range(1, request.count + 1)]
        self._create(request, names)
        return BulkCreated(created=[f"{request.tenant}/{name}" for name in names])

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
            row = core.catalogue.vplms.remove(id)
            core.models.drop(id)
            core.usage.drop(id)
            core.discard_if_unused(row.adapter)

    def models(self) -> ModelList:
        return ModelList(
            data=[
                ModelCard(id=row.id, created=int(row.created_at), owned_by=row.tenant)
                for row in self._core.catalogue.vplms.all()
            ]
        )

    def _create(self, spec: VplmSpec, names: list[str]) -> None:
        core = self._core
        core.catalogue.tenants.get(spec.tenant)
        core.catalogue.domains.get(spec.domain)
        self._check_rank(spec)
        self._check_quota(spec, len(names))
        if spec.adapter != RANDOM:
            with core.changing:
                self._add(spec, names, [self._existing(spec)] * len(names), ())
            return
        if spec.task == "embedding":
            # All of them share one adapter, which the last of its users must not take away between
            # these two steps.
            with core.changing:
                self._add_new(spec, names)
        else:
            self._add_new(spec, names)

    def _add_new(self, spec: VplmSpec, names: list[str]) -> None:
        core = self._core
        adapters = store_adapters(
            core.blobs,
            core.backbone,
            self._fresh(spec, len(names)),
            domain=spec.domain,
            labels=tuple(spec.labels),
            created_by=RANDOM,
            task=spec.task,
        )
        with core.changing:
            try:
                self._add(spec, names, adapters, adapters)
            except BaseException:
                # Their rows are not there, so their blobs must not stay either.
                for adapter in {row.id for row in adapters} - core.catalogue.blob_ids():
                    core.forget_blob(adapter)
                raise

    def _add(
        self,
        spec: VplmSpec,
        names: list[str],
        adapters: Sequence[AdapterRow],
        new: Sequence[AdapterRow],
    ) -> None:
        """Enter vPLMs with `adapters`, of which `new` are not in the catalogue yet."""
        core, now = self._core, time.time()
        self._check_quota(spec, len(names))
        rows = [
            VplmRow(
                spec.tenant,
                name,
                spec.kind,
                spec.domain,
                tuple(spec.labels),
                spec.mode,
                adapter.rank,
                adapter.id,
                1,
                pinned=False,
                accuracy=None,
                created_at=now,
                miss=spec.miss,
                task=spec.task,
            )
            for name, adapter in zip(names, adapters, strict=True)
        ]
        core.catalogue.vplms.add_many(rows, adapters=new)
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
            raise Refused(
                f'Tenant "{spec.tenant}" has {have} vPLMs and may have {quota:.0f}; '
                f"{more} more would be too many.",
                remedy=f"Remove some, or raise the quota (hmi tenant set {spec.tenant}).",
                code="quota_exceeded",
            )

    def _fresh(self, spec: VplmSpec, count: int) -> Iterator[AdapterWeights]:
        shape = self._core.adapter_shape
        if spec.task == "embedding":
            yield from [identity_adapter(shape)] * count
            return
        generator = torch.Generator().manual_seed(secrets.randbits(63))
        narrow = AdapterShape(shape.layers, shape.hidden, spec.rank)
        for _ in range(count):
            # As they are stored: converting them would engage, and wait for, the math's threads.
            yield random_adapter(narrow, len(spec.labels), generator, torch.float16)

    def _existing(self, spec: VplmSpec) -> AdapterRow:
        row = self._core.catalogue.adapters.get(spec.adapter)
        # An embedding needs no head, so whatever head it has will do.
        if spec.task == "embedding":
            return row
        made_for = row.metadata.get("task", "classify")
        if _head_of(made_for) != _head_of(spec.task):
            raise BadInput(
                f"Adapter {row.id[:12]} has a head for the task {made_for}, not {spec.task}.",
                remedy=f"Create the vPLM with --task {made_for}, or start from random.",
                code="adapter_task",
            )
        if row.labels != len(spec.labels):
            raise BadInput(
                f"Adapter {row.id[:12]} tells {row.labels} labels apart; {len(spec.labels)} were "
                "given.",
                remedy="Give as many labels as it has, in its order, or start from random.",
                code="label_count",
            )
        return row

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
            accuracy=row.accuracy,
            requests=core.models.requests[row.id],
            created_at=row.created_at,
            miss=miss_of(row),
            last_used=core.usage.last_used(row.id, row.last_used),
        )


def _head_of(task: str) -> str:
    """Tasks whose heads are alike have the same: whoever learnt one has begun another."""
    return "labels" if task in ("classify", "pair", "multilabel") else task
