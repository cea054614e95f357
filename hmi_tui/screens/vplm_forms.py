"""The forms of a vPLM, over the request models of the API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from engine.client import AsyncClient
from engine.schema import (
    PLACES,
    Created,
    Miss,
    StarterPublish,
    Task,
    Vplm,
    VplmBulkCreate,
    VplmCreate,
    VplmPatch,
)
from hmi_tui.screens.form import Form, Values
from hmi_tui.screens.vplm_start import (
    ADAPTER,
    AS_START,
    RANDOM,
    VPLM,
    Start,
    foresee,
    requested,
    start_fields,
    start_of,
)
from hmi_tui.widgets.field import Field

ENGINES = "as the engine"
"""The miss policy of a vPLM that has none of its own."""
KEPT = "as it is"
"""What is left alone when several are changed at once."""
EVERYBODY = "every tenant"
OWN = "as its start, or the engine's own"
BOTH = "attention and feed_forward"
FROM_CHANCE = Start()
_LABELS_HINT = "negative, positive; none: its start's; of tokens O, B-x, I-x"


def vplm_form(
    client: AsyncClient,
    tenants: Sequence[str],
    domains: Sequence[str],
    tenant: str,
    domain: str = AS_START,
    start: Start = FROM_CHANCE,
    labels: str = "",
    backbones: Sequence[str] = (),
) -> Form:
    """Makes one vPLM, or `count` of them, that begin at `start`."""

    async def submit(values: Values) -> str:
        spec: dict[str, object] = {
            "tenant": values["tenant"],
            "name": values["name"],
            "task": _chosen(values["task"]),
            "backbone": None if values["backbone"] == OWN else values["backbone"],
            "domain": _chosen(values["domain"]),
            "labels": _parts(values["labels"]),
            "mode": _chosen(values["mode"]),
            "rank": values["rank"],
            "places": PLACES if values["places"] == BOTH else [values["places"]],
            "miss": None if values["miss"] == ENGINES else values["miss"],
        }
        spec |= requested(start_of(values))
        many = VplmBulkCreate.model_validate(spec | {"count": values["count"]})
        if many.count == 1:
            made = await client.create_vplm(VplmCreate.model_validate(spec))
            return f"Created vPLM {made.id}{_begun(made)}."
        ids = await client.create_vplms(many)
        return f"Created {len(ids):,} vPLMs, {ids[0]} to {ids[-1]}."

    async def preview(values: Values) -> str:
        return await foresee(client, values)

    task, mode = ("classify", "plot") if start.kind in (RANDOM, ADAPTER) else (AS_START, AS_START)
    fields = (
        Field("tenant", "Tenant", tenant, kind="choice", options=tenants)
        if len(tenants) <= 50
        else Field("tenant", "Tenant", tenant),
        Field("name", "Name", hint="small letters, digits, . _ -"),
        Field("task", "Task", task, kind="choice", options=(AS_START, *get_args(Task))),
        Field("labels", "Labels", labels, _LABELS_HINT),
        Field("domain", "Domain", domain, kind="choice", options=(AS_START, *domains)),
        *start_fields(client, start, lambda: form.values),
        Field("backbone", "Backbone", OWN, kind="choice", options=(OWN, *backbones)),
        Field("count", "How many", "1", "more than one: NAME-00001 and on"),
        Field("mode", "Mode", mode, kind="choice", options=(AS_START, "plot", "exact")),
        Field("rank", "Adapter rank", "64", "of a random adapter"),
        Field("places", "Its places", BOTH, kind="choice", options=(BOTH, *PLACES)),
        Field("miss", "Misses", ENGINES, kind="choice", options=(ENGINES, "compute", "backoff")),
    )
    form = Form("New vPLM", fields, submit, preview=preview)
    return form


def _chosen(value: str) -> str | None:
    return None if value == AS_START else value


def _begun(made: Created) -> str:
    """What it starts from and what became of the head, unless both are of chance."""
    if made.head == "random":
        return ""
    heads = {"kept": "with its head", "reordered": "its labels in another order"}
    return f" from {made.started_from}, {heads.get(made.head, 'with a fresh head to train')}"


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


def copy_form(client: AsyncClient, source: str, domains: Sequence[str]) -> Form:
    """Makes a vPLM that begins as `source`, another of its tenant or a version of one."""
    tenant = source.partition("/")[0]
    return vplm_form(client, [tenant], domains, tenant, start=Start(VPLM, source))


def starter_form(client: AsyncClient, vplm: str, version: int) -> Form:
    """Publishes a version of `vplm` (tenant/name), for others to start from."""
    tenant, _, called = vplm.partition("/")

    async def submit(values: Values) -> str:
        card = {part: values[part] for part in ("task", "data", "note")}
        request = StarterPublish.model_validate(
            {
                "name": values["name"],
                "vplm": vplm,
                "version": version,
                "owner": tenant if values["owner"] == tenant else None,
                "card": card,
            }
        )
        made = await client.publish_starter(request)
        return f"Published {made.id}: a new vPLM may start from it."

    fields = (
        Field("name", "Name", hint=f"small letters, digits; such as {called}"),
        Field("owner", "For", EVERYBODY, kind="choice", options=(EVERYBODY, tenant)),
        Field("task", "Task", hint="what it does, in a few words"),
        Field("data", "Data", hint="what it was trained on"),
        Field("note", "Note", hint="what else whoever starts from it should know"),
    )
    title = f"Publish {vplm}, version {version}, as a starting point"
    return Form(title, fields, submit, "Publish")


def _policy(word: str) -> Miss | Literal["engine"]:
    if word == ENGINES:
        return "engine"
    return "backoff" if word == "backoff" else "compute"
