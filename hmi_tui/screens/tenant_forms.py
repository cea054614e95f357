"""The forms of the Tenants mode, over the request models of the API."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, get_args

from engine.client import AsyncClient, parse_size
from engine.schema import (
    Miss,
    Quota,
    Task,
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

QUOTA = {
    "vplms": "Most vPLMs",
    "bytes": "Most bytes",
    "rps": "Most req/s",
    "concurrency": "At a time",
    "training_minutes": "Training min",
}
ENGINES = "as the engine"
"""The miss policy of a vPLM that has none of its own."""
KEPT = "as it is"
"""What is left alone when several are changed at once."""


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


def vplm_form(
    client: AsyncClient,
    tenants: Sequence[str],
    domains: Sequence[str],
    tenant: str,
    domain: str,
    adapter: str = "random",
    labels: str = "",
) -> Form:
    """Makes one vPLM, or `count` of them."""

    async def submit(values: Values) -> str:
        spec: dict[str, object] = {
            "tenant": values["tenant"],
            "name": values["name"],
            "task": values["task"],
            "domain": values["domain"],
            "labels": _parts(values["labels"]),
            "mode": values["mode"],
            "rank": values["rank"],
            "adapter": values["adapter"] or "random",
            "miss": None if values["miss"] == ENGINES else values["miss"],
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
        Field("task", "Task", "classify", kind="choice", options=get_args(Task)),
        Field("labels", "Labels", labels, "negative, positive; of tokens O, B-x, I-x"),
        Field("domain", "Domain", domain, kind="choice", options=domains),
        Field("count", "How many", "1", "more than one: NAME-00001 and on"),
        Field("mode", "Mode", "plot", kind="choice", options=("plot", "exact")),
        Field("rank", "Adapter rank", "64"),
        Field("adapter", "Start from", adapter, "random, or the sha256 of an adapter"),
        Field("miss", "Misses", ENGINES, kind="choice", options=(ENGINES, "compute", "backoff")),
    )
    return Form("New vPLM", fields, submit)


def _parts(text: str) -> list[str]:
    """What stands between the commas; nothing, which an embedding has, is no label."""
    return [part.strip() for part in text.split(",")] if text.strip() else []


def change_vplm_form(
    client: AsyncClient, vplm: Vplm, domains: Sequence[str], ids: Sequence[str] = ()
) -> Form:
    """Moves `vplm` to another domain, mode or miss policy; with several `ids`, all of them."""
    many = len(ids) > 1
    chosen = ids if many else [vplm.id]
    what = f"{len(chosen)} vPLMs" if many else vplm.id
    own = vplm.miss or ENGINES

    async def submit(values: Values) -> str:
        given = {name: value for name, value in values.items() if value != KEPT}
        miss = given.pop("miss", None)
        wanted = VplmPatch.model_validate(given)
        policy = _policy(miss) if miss is not None and (many or miss != own) else None
        for one in chosen:
            await client.change_vplm(one, domain=wanted.domain, mode=wanted.mode, miss=policy)
        return f"Changed {what}."

    def choice(name: str, label: str, value: str, options: Sequence[str]) -> Field:
        if many:
            return Field(name, label, KEPT, kind="choice", options=(KEPT, *options))
        return Field(name, label, value, kind="choice", options=options)

    fields = (
        choice("domain", "Domain", vplm.domain, domains),
        choice("mode", "Mode", vplm.mode, ("plot", "exact")),
        choice("miss", "Misses", own, (ENGINES, "compute", "backoff")),
    )
    return Form(f"Change {what}", fields, submit, "Change")


def _policy(word: str) -> Miss | Literal["engine"]:
    if word == ENGINES:
        return "engine"
    return "backoff" if word == "backoff" else "compute"
