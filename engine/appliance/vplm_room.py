"""Whether there is room for new vPLMs: in the arena's slots, and in what their tenant may have."""

from __future__ import annotations

from collections.abc import Sequence

from engine.appliance.core import Core
from engine.appliance.quota import Allowance
from engine.appliance.source import adapter_bytes
from engine.appliance.starting import Start
from engine.errors import BadInput, QuotaReached
from engine.model.adapters import PLACES, AdapterShape
from engine.schema import VplmSpec


def check_rank(spec: VplmSpec, start: Start) -> None:
    """BadInput if its adapter is larger than a slot of those of its backbone."""
    limit = start.made_for.adapter_shape.rank
    if spec.rank > limit:
        raise BadInput(
            f"Rank {spec.rank} does not fit: the arena's slots are made for rank {limit}.",
            remedy=f"Choose a rank from 1 to {limit}.",
            code="rank_too_high",
        )


def check_count(core: Core, spec: VplmSpec, more: int) -> None:
    """QuotaReached if the tenant may not have so many more vPLMs."""
    quota = core.catalogue.tenants.get(spec.tenant).quota.get("vplms")
    have = core.catalogue.vplms.count(spec.tenant)
    if quota is not None and have + more > quota:
        raise QuotaReached(
            f'Tenant "{spec.tenant}" has {have} vPLMs and may have {quota:.0f}; '
            f"{more} more would be too many.",
            remedy=f"Remove some, or raise the quota (hmi tenant set {spec.tenant}).",
            code="quota_vplms",
        )


def check_bytes(core: Core, spec: VplmSpec, start: Start, more: int) -> None:
    """QuotaReached if the tenant's quota has no room for the adapters of `more` vPLMs."""
    allowance = Allowance.of(core.catalogue, spec.tenant)
    if allowance.limit is None:
        return
    if start.shared is not None:
        if not core.catalogue.holdings.uses(spec.tenant, start.shared.id):
            allowance.check(start.shared.bytes, 0, "the adapter takes")
        return
    fits = start.made_for.adapter_shape
    rank = spec.rank if start.adapter is None else start.adapter.rank
    places: Sequence[str] = spec.places
    if start.adapter is not None:
        places = start.adapter.places.split(",")
    # Embedding vPLMs that start from nothing share one adapter of rank 1.
    alike = start.task == "embedding" and start.adapter is None
    rank, places = (1, PLACES) if alike else (rank, places)
    shape = AdapterShape(fits.layers, fits.hidden, rank)
    each = adapter_bytes(start.made_for, shape, places, start.domain, start.labels, start.source)
    # Copies with a head in another order are all the same file.
    count = 1 if alike or start.head == "reordered" else more
    allowance.check(count * each, 0, f"{count} adapters take" if count > 1 else "one takes")
