"""Calls about tenants."""

from __future__ import annotations

import time
from collections.abc import Sequence

from engine.appliance.calls import next_cursor, offset_of
from engine.appliance.keys import KeyCalls
from engine.appliance.made_for import find_backbone
from engine.appliance.tenant_orders import MEASURED, measured
from engine.model.backbone import REFERENCE_BYTES_PER_PARAMETER
from engine.schema import (
    SCOPES,
    KeyCreate,
    KeyRotate,
    Quota,
    Tenant,
    TenantCreate,
    TenantCreated,
    TenantPage,
    TenantPatch,
)
from store.errors import BadInput
from store.holdings import OnBackbone
from store.rows import TenantRow


class TenantCalls(KeyCalls):
    def tenants(self, q: str, sort: str | None, limit: int, cursor: str | None) -> TenantPage:
        offset = offset_of(cursor)
        rows, total = self._page(q, sort, limit, offset)
        return TenantPage(
            data=self._tenants(rows),
            total=total,
            next_cursor=next_cursor(offset, len(rows), total),
        )

    def tenant(self, name: str) -> Tenant:
        return self._tenant(self._core.catalogue.tenants.get(name))

    def create_tenant(self, request: TenantCreate) -> TenantCreated:
        core, now = self._core, time.time()
        row = TenantRow(request.name, request.weight, request.quota.model_dump(), "", now)
        first, key = self._new_key(row.name, SCOPES, now)
        with core.changing:
            core.catalogue.tenants.add(row, first)
            core.tenants.put(row)
            core.keys.follow()
        return TenantCreated(**self._tenant(row).model_dump(), api_key=key)

    def change_tenant(self, name: str, patch: TenantPatch) -> Tenant:
        changes = patch.model_dump(exclude_none=True)
        core = self._core
        with core.changing:
            row = core.catalogue.tenants.change(name, **changes)
            core.tenants.put(row)
        return self._tenant(row)

    def rotate_key(self, name: str, request: KeyRotate | None = None) -> TenantCreated:
        """A new key in place of all that the tenant has. NotFound."""
        overlap = 0.0 if request is None else request.overlap_s
        key = self.create_key(name, KeyCreate(replaces="all", overlap_s=overlap))
        return TenantCreated(**self.tenant(name).model_dump(), api_key=key.api_key)

    def remove_tenant(self, name: str) -> None:
        core = self._core
        with core.changing:
            vplms, _ = core.catalogue.vplms.page(tenant=name, limit=-1)
            adapters, datasets = core.catalogue.tenants.remove(name)
            core.tenants.drop(name)
            core.keys.follow()
            core.usage.forget(name)
            for row in vplms:
                core.models.drop(row.id)
            for adapter in adapters:
                core.leftovers.discard(adapter)
            for adapter in {row.adapter for row in vplms if row.pinned}.difference(adapters):
                core.leftovers.discard_if_unused(adapter)
            for path_name in datasets:
                core.datasets.remove(path_name)

    def _page(
        self, q: str, sort: str | None, limit: int, offset: int
    ) -> tuple[list[TenantRow], int]:
        """The catalogue sorts; by what it does not know all that match are sorted here."""
        known = self._core.catalogue.tenants
        if sort is not None and sort.removeprefix("-") in MEASURED:
            rows, total = known.page(q, limit=-1)
            return measured(self._core, rows, sort)[offset : offset + limit], total
        try:
            return known.page(q, sort, limit, offset)
        except BadInput as error:
            more = f"Sort by one of: {', '.join(MEASURED)}, "
            raise BadInput(
                error.detail, remedy=error.remedy.replace("Sort by one of: ", more)
            ) from None

    def _tenant(self, row: TenantRow) -> Tenant:
        return self._tenants([row])[0]

    def _tenants(self, rows: Sequence[TenantRow]) -> list[Tenant]:
        core = self._core
        rates, tariff = core.metrics.tenants(), core.tariff.now()
        asked, trained = core.usage.requests(), core.usage.training_seconds()
        holdings = core.catalogue.holdings.of_all(row.name for row in rows)
        spread = core.catalogue.holdings.on_backbones(row.name for row in rows)
        data: list[Tenant] = []
        for row in rows:
            rate = rates.get(row.name)
            held = holdings[row.name]
            dedicated = sum(self._dedicated(each) for each in spread[row.name])
            requests, training = asked.get(row.name, 0), trained.get(row.name, 0.0)
            data.append(
                Tenant(
                    name=row.name,
                    weight=row.weight,
                    quota=Quota.model_validate(row.quota),
                    vplms=held.vplms,
                    stored_bytes=held.adapter_bytes,
                    created_at=row.created_at,
                    requests_per_s=0.0 if rate is None else rate.requests_per_s,
                    p50_s=None if rate is None else rate.p50_s,
                    p99_s=None if rate is None else rate.p99_s,
                    in_flight=core.admission.in_flight(row.name),
                    requests_month=requests,
                    training_month_s=training,
                    cost=None if tariff is None else tariff.cost(held.bytes, requests, training),
                    versions=held.versions,
                    adapters=held.adapters,
                    datasets=held.datasets,
                    dataset_bytes=held.dataset_bytes,
                    used_bytes=held.bytes,
                    dedicated_bytes=dedicated,
                    saved_bytes=max(0, dedicated - held.adapter_bytes),
                )
            )
        return data

    def _dedicated(self, held: OnBackbone) -> int:
        """Bytes of as many private copies; none of a backbone that is not here, for who knows."""
        backbone = find_backbone(self._core, held.backbone)
        if backbone is None:
            return 0
        heads = held.labels * (backbone.hidden + 1) * REFERENCE_BYTES_PER_PARAMETER
        return held.vplms * backbone.dedicated_bytes + heads
