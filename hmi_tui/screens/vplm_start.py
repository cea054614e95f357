"""What the form of a new vPLM lets it start from: chance, another vPLM, a starting point, an
adapter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from textual.suggester import Suggester

from engine.client import AsyncClient, BadInput, HmiError
from engine.schema import Starter, Vplm
from hmi_tui import figures
from hmi_tui.screens.form import Values
from hmi_tui.widgets.field import Field

RANDOM, VPLM, STARTER, ADAPTER = "random", "a vPLM", "a starting point", "an adapter"
_FIELDS = {VPLM: "from_vplm", STARTER: "from_starter", ADAPTER: "adapter"}
AS_START = "as its start"
"""Of task, domain and mode: whatever it starts from has."""
OFFERED = 5
"""Names shown of those that there are to start from."""


@dataclass(frozen=True, slots=True)
class Start:
    """A kind of beginning and, unless that is chance, its name."""

    kind: str = RANDOM
    which: str = ""


def start_of(values: Values) -> Start:
    """What was filled in; a vPLM's name gets its tenant's. BadInput if half of it is missing."""
    kind, which = values["start"], values["which"]
    if kind == RANDOM and which:
        raise BadInput(
            f'"Which" names {which}, but the vPLM is to start from random.',
            remedy='Choose what that is under "Start from", or leave "Which" empty.',
        )
    if kind != RANDOM and not which:
        raise BadInput(f"Which? Name {kind} to start from.", remedy="Some are named above.")
    if kind == VPLM and "/" not in which:
        which = f"{values['tenant']}/{which}"
    return Start(kind, which)


def requested(start: Start) -> dict[str, object]:
    """The fields of a request that say so."""
    return {} if start.kind == RANDOM else {_FIELDS[start.kind]: start.which}


def start_fields(client: AsyncClient, start: Start, values: Callable[[], Values]) -> list[Field]:
    """The two lines of the form; `values` are the form's, whenever something is suggested."""
    kinds = (RANDOM, *_FIELDS)
    hint = "its name; :3 after it is its version 3"
    return [
        Field("start", "Start from", start.kind, kind="choice", options=kinds),
        Field("which", "Which", start.which, hint, suggester=StartSuggester(client, values)),
    ]


async def foresee(client: AsyncClient, values: Values) -> str:
    """What it would start from, in a line or two; names of some where none was given."""
    if values["start"] == RANDOM and not values["which"]:
        return "Starts from chance: train it before it is of use."
    if not values["which"]:
        names, total = await _names(client, values, "")
        if not names:
            return f"There is no {_noun(values)} to start from."
        more = f" and {total - OFFERED:,} more" if total > OFFERED else ""
        return f"Which? {', '.join(names[:OFFERED])}{more}."
    start = start_of(values)
    if start.kind == VPLM:
        return await _told_of_vplm(client, start.which, values)
    if start.kind == STARTER:
        starter = await client.starter(start.which)
        return _told(f"Starts from {starter.id}", starter, starter.accuracy, values)
    adapter = await client.adapter(start.which)
    return (
        f"Answers with adapter {adapter.id[:12]}: {figures.size(adapter.bytes)}, rank "
        f"{adapter.rank}, tells {adapter.labels} labels apart, made by {adapter.created_by}."
    )


async def _told_of_vplm(client: AsyncClient, which: str, values: Values) -> str:
    name, _, number = which.partition(":")
    vplm = await client.vplm(name)
    if not number:
        return _told(f"A copy of {name}, version {vplm.version}", vplm, vplm.accuracy, values)
    kept = (await client.versions(name)).data
    version = next((one for one in kept if str(one.version) == number), None)
    if version is None:
        numbers = ", ".join(str(one.version) for one in kept)
        raise BadInput(f"{name} has no version {number}.", remedy=f"It has kept {numbers}.")
    return _told(f"A copy of {name}, version {number}", vplm, version.accuracy, values)


def _told(what: str, source: Vplm | Starter, accuracy: float | None, values: Values) -> str:
    known = "not measured" if accuracy is None else f"accuracy {figures.share(accuracy, 1)}"
    first = (
        f"{what}, {known}; labels {', '.join(source.labels) or 'none'}; domain {source.domain}, "
        f"mode {source.mode}."
    )
    moved = [
        f"{part} {values[part]}"
        for part, learned in (("domain", source.domain), ("mode", source.mode))
        if values[part] not in (AS_START, learned)
    ]
    if moved:
        return f"{first}\n! In {' and '.join(moved)} it does less well until it is trained there."
    return first


class StartSuggester(Suggester):
    """Completes the name of what there is to start from while it is typed."""

    def __init__(self, client: AsyncClient, values: Callable[[], Values]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._client = client
        self._values = values

    async def get_suggestion(self, value: str) -> str | None:
        try:
            names, _ = await _names(self._client, self._values(), value)
        except HmiError:
            # The form says so as soon as it is asked for anything.
            return None
        return next((name for name in names if name.startswith(value)), None)


async def _names(client: AsyncClient, values: Values, typed: str) -> tuple[list[str], int]:
    """Of those that the chosen tenant may start from; how many there are."""
    kind, tenant = values["start"], values["tenant"]
    if kind == VPLM:
        page = await client.vplms(typed, tenant, sort="id")
        short = "/" not in typed
        return [one.name if short else one.id for one in page.data], page.total
    if kind == STARTER:
        starters = await client.starters(typed, tenant)
        return [one.id for one in starters.data], starters.total
    if kind == ADAPTER:
        adapters = await client.adapters(typed)
        return [one.id for one in adapters.data], adapters.total
    return [], 0


def _noun(values: Values) -> str:
    nouns = {VPLM: f"vPLM of {values['tenant']}", STARTER: "starting point", ADAPTER: "adapter"}
    return nouns[values["start"]]
