"""The forms of the Domains mode."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from engine.client import AsyncClient, BadInput, parse_size
from engine.schema import Domain, DomainCreate, RebuildRequest
from hmi_tui import figures
from hmi_tui.screens.form import Form, Values
from hmi_tui.widgets.field import Field


def file_at(typed: str) -> Path:
    """The file that was typed. Raises BadInput if there is none."""
    path = Path(typed).expanduser()
    if not typed or not path.is_file():
        raise BadInput(
            f"There is no file {typed!r}." if typed else "No file was given.",
            remedy="Type its path; the right arrow completes a name.",
        )
    return path


def domain_form(client: AsyncClient, domains: Sequence[str], parent: str) -> Form:
    """Makes a node, with a corpus if a file is given."""

    async def submit(values: Values) -> str:
        wanted = DomainCreate.model_validate({"name": values["name"], "parent": values["parent"]})
        corpus = file_at(values["corpus"]) if values["corpus"] else None
        await client.create_domain(wanted.name, parent=wanted.parent)
        if corpus is None:
            return f"Created domain {wanted.name}; u uploads its text."
        receipt = await client.put_corpus(wanted.name, corpus)
        made = f"Created domain {wanted.name} with {receipt.lines:,} lines; r builds its table."
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
        has = f"{domain} has {receipt.lines:,} lines ({figures.size(receipt.bytes)}) of text;"
        return " ".join([has, "r builds its table.", *receipt.warnings])

    field = Field("corpus", "Corpus file", hint="text, a document a line; .gz works", kind="file")
    return Form(f"Upload text for {domain}", (field,), submit, "Upload")


def rebuild_form(client: AsyncClient, domain: Domain) -> Form:
    """Starts the job that builds the next epoch."""

    async def submit(values: Values) -> str:
        budget = parse_size(values["budget_bytes"])
        wanted = RebuildRequest.model_validate(values | {"budget_bytes": budget})
        await client.rebuild_domain(domain.name, wanted)
        return f"Rebuilding {domain.name}: epoch {domain.epoch + 1}."

    fields = (
        Field("alpha", "Coverage", "0.5", "share of the corpus's n-grams to hold, 0 to 1"),
        Field("budget_bytes", "At most", "256M", "bytes of the table, such as 256M"),
        Field("threshold", "Threshold", "0.0", "leave out rows this close to the inherited ones"),
        Field("train_minutes", "Train", "0", "minutes to train its own n-gram encoder first"),
    )
    return Form(f"Rebuild {domain.name}", fields, submit, "Rebuild")
