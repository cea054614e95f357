"""What the appliance answers about vPLMs."""

from __future__ import annotations

from engine.schema import (
    BulkCreated,
    Created,
    Vplm,
    VplmBulkCreate,
    VplmCreate,
    VplmPage,
    VplmPatch,
)
from tests.engine.api.scripted.script import Script

VPLM = Vplm(
    id="acme/polarity",
    tenant="acme",
    name="polarity",
    kind="classifier",
    domain="reviews",
    labels=["negative", "positive"],
    mode="plot",
    rank=64,
    adapter="ab",
    version=1,
    tier="host",
    pinned=False,
    stored_bytes=10,
    dedicated_bytes=100,
    accuracy=None,
    requests=0,
    created_at=1.0,
)

CREATED = Created(**VPLM.model_dump(), started_from="random", head="random")


class VplmAnswers(Script):
    def vplms(
        self,
        q: str,
        tenant: str | None,
        sort: str | None,
        limit: int,
        cursor: str | None,
        fuzzy: bool = False,
    ) -> VplmPage:
        self._do("vplms", q, tenant, sort, limit, cursor, *([fuzzy] if fuzzy else []))
        return VplmPage(data=[VPLM], total=1, next_cursor="1")

    def vplm(self, id: str) -> Vplm:
        self._do("vplm", id)
        return VPLM

    def create_vplm(self, request: VplmCreate) -> Created:
        self._do("create_vplm", request)
        return CREATED

    def create_vplms(self, request: VplmBulkCreate) -> BulkCreated:
        self._do("create_vplms", request)
        return BulkCreated(created=["acme/m-00001"])

    def change_vplm(self, id: str, patch: VplmPatch) -> Vplm:
        self._do("change_vplm", id, patch)
        return VPLM

    def remove_vplm(self, id: str) -> None:
        self._do("remove_vplm", id)
