"""A description against an engine: the steps that make what there is what it should be."""

from __future__ import annotations

from collections.abc import Iterator

from engine.client import Client
from engine.schema import Quota, Tenant
from hmi_tui.cli.paging import gather
from hmi_tui.description.document import Description, TenantEntry
from hmi_tui.description.domain_steps import domain_steps
from hmi_tui.description.steps import Done, Step, shift
from hmi_tui.description.vplm_steps import vplm_steps


def difference(client: Client, wanted: Description) -> list[Step]:
    """In the order in which they are to be applied; nothing is changed.

    BadInput, which names file and key, for what cannot be made so.
    """
    tenants = {t.name: t for t in gather(lambda n, c: client.tenants("", n, c), 0)[0]}
    domains = {d.name: d for d in client.domains().data}
    return [
        *_tenant_steps(wanted, tenants),
        *domain_steps(client, wanted, domains),
        *vplm_steps(client, wanted, set(tenants), set(domains)),
    ]


def _tenant_steps(wanted: Description, known: dict[str, Tenant]) -> Iterator[Step]:
    for name, entry in wanted.tenants.items():
        yield _new(name, entry) if name not in known else _changed(known[name], entry)


def _new(name: str, entry: TenantEntry) -> Step:
    def apply(client: Client) -> Done:
        made = client.create_tenant(name, entry.weight or 1.0, entry.quota)
        return Done(api_key=made.api_key)

    told = [f"weight {entry.weight:g}"] if entry.weight is not None else []
    told += [] if entry.quota is None else [f"{k} {v:g}" for k, v in _limits(entry.quota).items()]
    return Step("+", "tenant", name, ", ".join(told), apply=apply)


def _changed(now: Tenant, entry: TenantEntry) -> Step:
    told: list[str] = []
    if entry.weight is not None and entry.weight != now.weight:
        told.append(shift("weight", f"{now.weight:g}", f"{entry.weight:g}"))
    if entry.quota is not None and entry.quota != now.quota:
        old, new = _limits(now.quota), _limits(entry.quota)
        told += [
            shift(limit, old.get(limit, "no limit"), new.get(limit, "no limit"))
            for limit in sorted(old.keys() | new.keys())
            if old.get(limit) != new.get(limit)
        ]
    if not told:
        return Step("=", "tenant", now.name)

    def apply(client: Client) -> Done:
        client.change_tenant(now.name, weight=entry.weight, quota=entry.quota)
        return Done()

    return Step("~", "tenant", now.name, ", ".join(told), apply=apply)


def _limits(quota: Quota) -> dict[str, float]:
    return quota.model_dump(exclude_none=True)
