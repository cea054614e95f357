"""The forms of the Domains mode."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.client import AsyncClient, parse_size
from engine.schema import Domain, DomainCreate, DomainUpdate, Kind, RebuildCost, RebuildRequest
from hmi_tui import figures
from hmi_tui.screens.form import Form, Values
from hmi_tui.typed_files import file_at
from hmi_tui.widgets.field import Field


def domain_form(client: AsyncClient, domains: Sequence[str], parent: str) -> Form:
    """Makes a node, with a corpus if a file is given."""

    async def submit(values: Values) -> str:
        wanted = DomainCreate.model_validate({"name": values["name"], "parent": values["parent"]})
        corpus = file_at(values["corpus"]) if values["corpus"] else None
        await client.create_domain(wanted.name, parent=wanted.parent)
        if corpus is None:
            return f"Created domain {wanted.name}; <upload_corpus:u> uploads its text."
        receipt = await client.put_corpus(wanted.name, corpus)
        lines = figures.many(receipt.lines, "line")
        made = f"Created domain {wanted.name} with {lines}; r builds its table."
        return " ".join([made, *receipt.warnings])

    fields = (
        Field("name", "Name", hint="small letters, digits, . _ -"),
        Field("parent", "Under", parent, kind="choice", options=domains),
        Field(
            "corpus",
            "Corpus file",
            hint="optional: text, a document a line; .gz works",
            kind="file",
        ),
    )
    return Form("New domain", fields, submit)


def corpus_form(client: AsyncClient, domain: str) -> Form:
    """Sends a text file; it replaces the domain's corpus."""

    async def submit(values: Values) -> str:
        receipt = await client.put_corpus(domain, file_at(values["corpus"]))
        lines, size = figures.many(receipt.lines, "line"), figures.size(receipt.bytes)
        has = f"{domain} has {lines} ({size}) of text;"
        return " ".join([has, "r builds its table.", *receipt.warnings])

    field = Field("corpus", "Corpus file", hint="text, a document a line; .gz works", kind="file")
    return Form(f"Upload text for {domain}", (field,), submit, "Upload")


def rebuild_form(
    client: AsyncClient,
    domain: Domain,
    accepted: Callable[[str], None] = lambda _: None,
    kind: Kind = "classifier",
) -> Form:
    """Starts the job that builds the next epoch, whose id `accepted` gets. Says what it costs."""

    def request(values: Values) -> RebuildRequest:
        budget = parse_size(values["budget_bytes"])
        return RebuildRequest.model_validate(values | {"budget_bytes": budget})

    async def preview(values: Values) -> str:
        return cost_text(await client.rebuild_cost(domain.name, request(values)))

    async def submit(values: Values) -> str:
        job = await client.rebuild_domain(domain.name, request(values))
        accepted(job.id)
        return f"Rebuilding {domain.name} for {values['kind']}s."

    fields = (
        Field("alpha", "Coverage", "0.5", "share of the corpus's n-grams to hold, 0 to 1"),
        Field("budget_bytes", "At most", "256M", "bytes of the table, such as 256M"),
        Field("threshold", "Threshold", "0.0", "leave out rows this close to the inherited ones"),
        Field("traffic_weight", "Traffic", "0.9", "the most that traffic counts for, 0 to 1"),
        Field("train_minutes", "Train", "0", "minutes to train its own n-gram encoder first"),
        Field("train_from", "From", "current", kind="choice", options=("current", "scratch")),
        Field("seed", "Seed", "0", "of the training"),
        Field("kind", "For", kind, kind="choice", options=("classifier", "generator")),
    )
    return Form(f"Rebuild {domain.name}", fields, submit, "Rebuild", preview)


def cost_text(cost: RebuildCost) -> str:
    """What a rebuild takes, in a line or two."""
    took = figures.seconds(cost.seconds)
    trained = (
        f" after {figures.seconds(cost.train_seconds)} of training" if cost.train_seconds else ""
    )
    free = figures.size(cost.disk_free_bytes)
    first = (
        f"It costs about {took}{trained} and {figures.size(cost.bytes)} "
        f"({figures.count(cost.entries)} entries; {free} are free)."
    )
    return "\n".join([first, *(f"! {told}" for told in cost.warnings)])


def change_domain_form(client: AsyncClient, domain: Domain, domains: Sequence[str]) -> Form:
    """Moves a node, or says when it learns from its traffic by itself."""
    policy = domain.policy

    async def submit(values: Values) -> str:
        given = {name: value for name, value in values.items() if value}
        if given.get("parent") == domain.parent:
            del given["parent"]
        wanted = DomainUpdate.model_validate(given)
        await client.change_domain(
            domain.name,
            wanted.parent,
            wanted.update,
            wanted.miss_rate,
            wanted.min_lookups,
            wanted.cooldown_s,
        )
        return f"Changed domain {domain.name}."

    # The root hangs below nothing, and no node below itself.
    above = [name for name in domains if name != domain.name] if domain.parent else []
    place = [Field("parent", "Under", domain.parent or "", kind="choice", options=above)]
    fields = (
        *(place if above else ()),
        Field(
            "update",
            "Rebuild",
            policy.update,
            kind="choice",
            options=("manual", "miss_rate", "idle"),
        ),
        Field("miss_rate", "Misses over", f"{policy.miss_rate:g}", "share of lookups"),
        Field("min_lookups", "After", str(policy.min_lookups), "lookups"),
        Field("cooldown_s", "At most every", f"{policy.cooldown_s:g}", "seconds"),
    )
    return Form(f"Change domain {domain.name}", fields, submit, "Change")
