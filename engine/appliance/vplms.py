"""Calls about vPLMs and the adapters they are made of."""

from __future__ import annotations

import time
from collections.abc import Sequence

from engine.appliance.calls import Calls, next_cursor, offset_of
from engine.appliance.made_for import backbone_with, find_backbone, name_of, tier_of
from engine.appliance.models import miss_of, perplexity_of, task_name
from engine.appliance.publishing import forget_versions
from engine.appliance.source import store_adapters
from engine.appliance.starting import Start, start_of, weights_of
from engine.appliance.vplm_room import check_bytes, check_count, check_rank
from engine.model.backbone import REFERENCE_BYTES_PER_PARAMETER
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
from engine.schema.base import PLACES
from engine.size.shapes import bert_base_bytes
from store.adapter_rows import Built
from store.rows import AdapterRow, VplmRow
from store.vplm_rows import VplmChanges

_GONE = Built(0, "")


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
        built = self._core.catalogue.adapters.built(row.adapter for row in rows)
        return VplmPage(
            data=[self._vplm(row, built.get(row.adapter, _GONE)) for row in rows],
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
            row = core.catalogue.vplms.change(id, **_changes(patch))
            if patch.pin is not None:
                tiers = core.tiers_of(row.backbone)
                if tiers is not None:
                    tiers.pin(row.adapter, pinned=core.catalogue.vplms.pinned(row.adapter))
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
                core.leftovers.discard_if_unused(adapter)

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
        check_count(core, spec, len(names))
        start = start_of(core, spec)
        check_bytes(core, spec, start, len(names))
        if start.shared is not None:
            with core.changing:
                # Again, for it may have gone meanwhile.
                core.catalogue.adapters.get(start.shared.id)
                self._add(spec, start, names, [start.shared] * len(names), ())
            return start
        check_rank(spec, start)
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
            start.made_for,
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
                    core.leftovers.forget(adapter)
                raise

    def _add(
        self,
        spec: VplmSpec,
        start: Start,
        names: list[str],
        adapters: Sequence[AdapterRow],
        new: Sequence[AdapterRow],
    ) -> None:
        """Enter vPLMs with `adapters`, of which `new` are not in the catalogue yet; `changing` is
        held."""
        core, now = self._core, time.time()
        # It may have been removed meanwhile.
        backbone_with(core, start.made_for.sha256)
        check_count(core, spec, len(names))
        check_bytes(core, spec, start, len(names))
        rows = [
            VplmRow(
                spec.tenant,
                name,
                "generator" if start.task == "generate" else "classifier",
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
                backbone=adapter.metadata.get("backbone_sha256", ""),
            )
            for name, adapter in zip(names, adapters, strict=True)
        ]
        core.catalogue.vplms.add_many(rows, adapters=new, source=start.source)
        for row in rows:
            core.models.put(row)

    def _vplm(self, row: VplmRow, built: Built | None = None) -> Vplm:
        """`built` is what its adapter takes, _GONE if that was removed or replaced since the row
        was read; left out, it is looked up."""
        core = self._core
        if built is None:
            built = core.catalogue.adapters.built([row.adapter]).get(row.adapter, _GONE)
        backbone = find_backbone(core, row.backbone)
        dedicated = 0
        if backbone is not None:
            head = len(row.labels) * (backbone.hidden + 1) * REFERENCE_BYTES_PER_PARAMETER
            dedicated = backbone.dedicated_bytes + head
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
            tier=tier_of(core, row.adapter, row.backbone),
            pinned=row.pinned,
            stored_bytes=built.bytes,
            dedicated_bytes=dedicated,
            bert_base_bytes=bert_base_bytes(len(row.labels)),
            accuracy=row.accuracy,
            perplexity=perplexity_of(row.task, row.accuracy),
            requests=core.models.requests[row.id],
            created_at=row.created_at,
            miss=miss_of(row),
            last_used=core.usage.last_used(row.id, row.last_used),
            backbone=name_of(core, row.backbone),
            backbone_sha256=row.backbone,
            places=[place for place in PLACES if place in built.places.split(",")],
        )


def _changes(patch: VplmPatch) -> VplmChanges:
    changes: VplmChanges = {}
    if patch.domain is not None:
        changes["domain"] = patch.domain
    if patch.mode is not None:
        changes["mode"] = patch.mode
    if "miss" in patch.model_fields_set:
        changes["miss"] = patch.miss
    if patch.pin is not None:
        changes["pinned"] = patch.pin
    return changes
