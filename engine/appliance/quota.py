"""The quota of bytes: what a tenant may keep in the store, adapters and datasets together."""

from __future__ import annotations

from dataclasses import dataclass

from engine.errors import Refused
from store.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a tenant keeps, and may keep (None: any amount), in bytes."""

    tenant: str
    used: int
    limit: int | None

    @classmethod
    def of(cls, catalogue: Catalogue, tenant: str) -> Allowance:
        """As the catalogue has it now. NotFound."""
        limit = catalogue.tenants.get(tenant).quota.get("bytes")
        used = catalogue.holdings.of(tenant).bytes
        return cls(tenant, used, None if limit is None else int(limit))

    def check(self, more: int, freed: int, what: str) -> None:
        """Refused if `more` bytes for `what` (with its verb) do not fit once `freed` are gone."""
        kept = self.used - freed
        if self.limit is None or more <= 0 or kept + more <= self.limit:
            return
        raise Refused(
            f'quota.bytes of tenant "{self.tenant}" is {self.limit:,}, of which {kept:,} are in '
            f"use; {what} at least {more:,} more.",
            remedy="Remove datasets or vPLMs (hmi dataset rm, hmi vplm rm), or raise the quota "
            f"(hmi tenant set {self.tenant} --max-bytes SIZE).",
            code="quota_bytes",
        )
