"""The forms of a tenant, over the request models of the API."""

from __future__ import annotations

from collections.abc import Callable

from engine.client import AsyncClient, parse_size
from engine.schema import Quota, Tenant, TenantCreate, TenantCreated, TenantPatch
from hmi_tui.screens.form import Form, Values
from hmi_tui.widgets.field import Field

QUOTA = {
    "vplms": "Most vPLMs",
    "bytes": "Most bytes",
    "rps": "Most req/s",
    "concurrency": "At a time",
    "training_minutes": "Training min",
}


def _quota(values: Values) -> Quota:
    """The limits of a form; an empty field is no limit."""
    limits: dict[str, object] = {name: values[name] or None for name in QUOTA}
    if values["bytes"]:
        limits["bytes"] = parse_size(values["bytes"])
    return Quota.model_validate(limits)


def _limits(quota: Quota) -> list[Field]:
    known = quota.model_dump()
    return [
        Field(name, label, "" if known[name] is None else str(known[name]), "no limit")
        for name, label in QUOTA.items()
    ]


def tenant_form(client: AsyncClient, created: Callable[[TenantCreated], None]) -> Form:
    """Makes a tenant; `created` gets its key, which is shown once."""

    async def submit(values: Values) -> str:
        wanted = TenantCreate.model_validate(
            {"name": values["name"], "weight": values["weight"], "quota": _quota(values)}
        )
        made = await client.create_tenant(wanted.name, wanted.weight, wanted.quota)
        created(made)
        return f"Created tenant {made.name}."

    fields = (
        Field("name", "Name", hint="small letters, digits, . _ -"),
        Field("weight", "Weight", "1", "its share when the engine is busy"),
        *_limits(Quota()),
    )
    return Form("New tenant", fields, submit)


def change_tenant_form(client: AsyncClient, tenant: Tenant) -> Form:
    """Changes weight and quota; an empty field is no limit."""

    async def submit(values: Values) -> str:
        wanted = TenantPatch.model_validate({"weight": values["weight"], "quota": _quota(values)})
        await client.change_tenant(tenant.name, weight=wanted.weight, quota=wanted.quota)
        return f"Changed tenant {tenant.name}."

    fields = [Field("weight", "Weight", f"{tenant.weight:g}"), *_limits(tenant.quota)]
    return Form(f"Change tenant {tenant.name}", fields, submit, "Change")
