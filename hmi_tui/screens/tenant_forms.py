"""The forms of the Tenants mode, over the request models of the API."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.client import AsyncClient
from engine.schema import (
    Quota,
    Tenant,
    TenantCreate,
    TenantCreated,
    TenantPatch,
    Vplm,
    VplmBulkCreate,
    VplmCreate,
    VplmPatch,
)
from hmi_tui.screens.form import Form, Values
from hmi_tui.widgets.field import Field

QUOTA = ("vplms", "bytes", "rps", "concurrency")


def tenant_form(client: AsyncClient, created: Callable[[TenantCreated], None]) -> Form:
    """Makes a tenant; `created` gets its key, which is shown once."""

    async def submit(values: Values) -> str:
        wanted = TenantCreate.model_validate({"name": values["name"], "weight": values["weight"]})
        made = await client.create_tenant(wanted.name, weight=wanted.weight)
        created(made)
        return f"Created tenant {made.name}."

    fields = (
        Field("name", "Name", hint="small letters, digits, . _ -"),
        Field("weight", "Weight", "1", "its share when the engine is busy"),
    )
    return Form("New tenant", fields, submit)


def change_tenant_form(client: AsyncClient, tenant: Tenant) -> Form:
    """Changes weight and quota; an empty field is no limit."""

    async def submit(values: Values) -> str:
        limits = {name: values[name] or None for name in QUOTA}
        quota = Quota.model_validate(limits)
        wanted = TenantPatch.model_validate({"weight": values["weight"], "quota": quota})
        await client.change_tenant(tenant.name, weight=wanted.weight, quota=wanted.quota)
        return f"Changed tenant {tenant.name}."

    names = {
        "vplms": "Most vPLMs",
        "bytes": "Most bytes",
        "rps": "Most req/s",
        "concurrency": "At a time",
    }
    limits = tenant.quota.model_dump()
    fields = [Field("weight", "Weight", f"{tenant.weight:g}")]
    fields += [
        Field(name, names[name], "" if limits[name] is None else str(limits[name]), "no limit")
        for name in QUOTA
    ]
    return Form(f"Change tenant {tenant.name}", fields, submit, "Change")


def vplm_form(
    client: AsyncClient, tenants: Sequence[str], domains: Sequence[str], tenant: str, domain: str
) -> Form:
    """Makes one vPLM, or `count` of them."""

    async def submit(values: Values) -> str:
        spec: dict[str, object] = {
            "tenant": values["tenant"],
            "name": values["name"],
            "domain": values["domain"],
            "labels": [part.strip() for part in values["labels"].split(",")],
            "mode": values["mode"],
            "rank": values["rank"],
            "adapter": values["adapter"] or "random",
        }
        many = VplmBulkCreate.model_validate(spec | {"count": values["count"]})
        if many.count == 1:
            made = await client.create_vplm(VplmCreate.model_validate(spec))
            return f"Created vPLM {made.id}."
        ids = await client.create_vplms(many)
        return f"Created {len(ids):,} vPLMs, {ids[0]} to {ids[-1]}."

    fields = (
        Field("tenant", "Tenant", tenant, kind="choice", options=tenants)
        if len(tenants) <= 50
        else Field("tenant", "Tenant", tenant),
        Field("name", "Name", hint="small letters, digits, . _ -"),
        Field("labels", "Labels", hint="negative, positive"),
        Field("domain", "Domain", domain, kind="choice", options=domains),
        Field("count", "How many", "1", "more than one: NAME-00001 and on"),
        Field("mode", "Mode", "plot", kind="choice", options=("plot", "exact")),
        Field("rank", "Adapter rank", "64"),
        Field("adapter", "Start from", "random", "random, or the sha256 of an adapter"),
    )
    return Form("New vPLM", fields, submit)


def change_vplm_form(client: AsyncClient, vplm: Vplm, domains: Sequence[str]) -> Form:
    """Moves a vPLM to another domain or mode."""

    async def submit(values: Values) -> str:
        wanted = VplmPatch.model_validate(values)
        await client.change_vplm(vplm.id, domain=wanted.domain, mode=wanted.mode)
        return f"Changed {vplm.id}."

    fields = (
        Field("domain", "Domain", vplm.domain, kind="choice", options=domains),
        Field("mode", "Mode", vplm.mode, kind="choice", options=("plot", "exact")),
    )
    return Form(f"Change {vplm.id}", fields, submit, "Change")
