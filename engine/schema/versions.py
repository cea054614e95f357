"""Versions of a vPLM, and adapters published as starting points."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from engine.schema.base import Answer, Mode, Name, Request
from engine.schema.vplms import Vplm

Short = Annotated[str, StringConstraints(max_length=500)]
"""A sentence or two."""


class VplmVersion(Answer):
    """One publication of a vPLM."""

    version: int
    adapter: str
    rank: int
    bytes: int
    accuracy: float | None
    """Held out, when it was trained; None if it was not."""
    perplexity: float | None = None
    """Of a generator: one over `accuracy`."""
    origin: str
    """`created`, `trained`, `upload`, `rollback` or `promoted`."""
    source: str
    """What it was made of: a job's id, a version such as `acme/polarity:3`, an adapter."""
    domain: str
    """Where the adapter was made."""
    published_at: float
    serving: bool


class VplmVersions(Answer):
    """The newest first."""

    object: Literal["list"] = "list"
    vplm: str
    data: list[VplmVersion]
    keeps: int
    """So many of a vPLM's versions the engine keeps (--keep-versions); older ones go."""


class RollbackRequest(Request):
    version: int = Field(ge=1)


class PublishRequest(Request):
    """An adapter of the store is to answer for the vPLM from now on."""

    adapter: str


class PromoteRequest(Request):
    """A version of this vPLM is to answer for vPLM `to` of the same tenant from now on."""

    to: Name
    version: int | None = Field(None, ge=1)
    """None: the one that serves."""


class Published(Vplm):
    note: str = ""
    """What to know of the adapter that serves now, empty if nothing."""


class Card(Request):
    """What a starting point is, for whoever chooses one."""

    task: Short = ""
    data: Short = ""
    """What it was trained on."""
    note: Short = ""


class StarterPublish(Request):
    name: Name
    vplm: str
    version: int | None = Field(None, ge=1)
    """Of the vPLM; None: the one that serves."""
    owner: Name | None = None
    """A tenant, which must be the vPLM's; None: the operator, for all tenants."""
    card: Card = Card()


class Starter(Answer):
    id: str
    """`name:version`, or `tenant/name:version` if a tenant owns it."""
    owner: str | None
    """None: the operator."""
    name: str
    version: int
    adapter: str
    labels: list[str]
    domain: str
    mode: Mode
    accuracy: float | None
    task: str
    data: str
    note: str
    source: str
    """The version that it was taken from, such as `acme/polarity:3`."""
    published_at: float


class StarterPage(Answer):
    object: Literal["list"] = "list"
    data: list[Starter]
    total: int
    next_cursor: str | None = None
