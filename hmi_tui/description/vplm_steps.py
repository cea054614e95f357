"""vPLMs of a description: those to be made, one by one or many, and what changes of others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from engine.client import Client
from engine.schema import Vplm, VplmBulkCreate, VplmCreate
from engine.validation import field_errors
from hmi_tui.cli.paging import gather
from hmi_tui.description.document import Description, VplmEntry
from hmi_tui.description.steps import Done, Step, shift

M = TypeVar("M", bound=BaseModel)


def vplm_steps(
    client: Client, wanted: Description, tenants: set[str], domains: set[str]
) -> Iterator[Step]:
    """`tenants` and `domains` are those that the engine has."""
    tenants, domains = tenants | set(wanted.tenants), domains | set(wanted.domains)
    for described, entry in wanted.vplms.items():
        tenant, _, name = described.partition("/")
        if tenant not in tenants:
            raise wanted.fault(
                _key(described),
                f'there is no tenant "{tenant}", here or in the engine.',
                "Describe it too, or correct the name.",
            )
        if entry.domain is not None and entry.domain not in domains:
            raise wanted.fault(
                f"{_key(described)}.domain",
                f'there is no domain "{entry.domain}", here or in the engine.',
                "Describe it too, or correct the name.",
            )
        there = _there(client, tenant, name, entry)
        for one in there.values():
            _check(wanted, described, entry, one)
        yield from _missing(wanted, described, entry, set(there))
        yield from _differing(entry, list(there.values()))


def _key(id: str) -> str:
    return f'vplms."{id}"'


def _names(name: str, entry: VplmEntry) -> list[str]:
    if entry.count is None:
        return [name]
    return [f"{name}-{i:05d}" for i in range(1, entry.count + 1)]


def _there(client: Client, tenant: str, name: str, entry: VplmEntry) -> dict[str, Vplm]:
    """Those of the entry's that exist, by name."""
    names = set(_names(name, entry))
    found, _ = gather(lambda n, c: client.vplms(f"{tenant}/{name}", tenant, n, c), 0)
    return {one.name: one for one in found if one.name in names}


def _check(wanted: Description, id: str, entry: VplmEntry, now: Vplm) -> None:
    """What a vPLM can never become is an error, and nothing is applied."""
    remedy = f"Remove it first (hmi vplm rm {now.id}), or describe one of another name."
    if entry.labels and entry.labels != now.labels:
        raise wanted.fault(
            f"{_key(id)}.labels",
            f"{now.id} tells {', '.join(now.labels)} apart, and the labels of a vPLM stay.",
            remedy,
        )
    if entry.task not in (None, now.task):
        raise wanted.fault(
            f"{_key(id)}.task", f"{now.id} is for {now.task}, and the task of a vPLM stays.", remedy
        )
    if entry.backbone is not None and not _names_backbone(entry.backbone, now.backbone):
        raise wanted.fault(
            f"{_key(id)}.backbone", f"{now.id} rests on {now.backbone}, and that stays.", remedy
        )
    if (entry.adapter, entry.copy_of, entry.starter) != (None, None, None):
        # It has the rank and the places of what it started from.
        return
    if entry.rank not in (None, now.rank):
        raise wanted.fault(
            f"{_key(id)}.rank", f"{now.id} has rank {now.rank}, and that stays.", remedy
        )
    if entry.places is not None and now.places and set(entry.places) != set(now.places):
        raise wanted.fault(
            f"{_key(id)}.places",
            f"{now.id} has an adapter behind {' and '.join(now.places)}, and there it stays.",
            remedy,
        )


def _names_backbone(wanted: str, now: str) -> bool:
    """Without a version any will do: a newer import is no reason to make the vPLM anew."""
    return wanted in (now, now.partition(":")[0])


def _missing(wanted: Description, id: str, entry: VplmEntry, there: set[str]) -> Iterator[Step]:
    tenant, _, name = id.partition("/")
    spec: dict[str, Any] = {
        "tenant": tenant,
        "name": name,
        "task": entry.task,
        "labels": entry.labels,
        "backbone": entry.backbone,
        "domain": entry.domain,
        "mode": entry.mode,
        "miss": entry.miss,
        "rank": entry.rank,
        "places": entry.places,
        "adapter": entry.adapter,
        "from_vplm": entry.copy_of,
        "from_starter": entry.starter,
    }
    spec = {key: value for key, value in spec.items() if value is not None}
    told = _told(entry)
    if entry.count is None:
        if name not in there:
            one = _request(wanted, id, VplmCreate, spec)
            apply = _creation(lambda client: [client.create_vplm(one).id], entry.pin)
            yield Step("+", "vplm", id, told, apply=apply)
        return
    for first, count in _runs([i for i, n in enumerate(_names(name, entry), 1) if n not in there]):
        many = _request(wanted, id, VplmBulkCreate, spec | {"first": first, "count": count})
        yield Step(
            "+",
            "vplm",
            f"{id}-{first:05d}" + (f" to {first + count - 1:05d}" if count > 1 else ""),
            told,
            count,
            _creation(_bulk(many), entry.pin),
        )


def _bulk(request: VplmBulkCreate) -> Callable[[Client], list[str]]:
    return lambda client: client.create_vplms(request)


def _creation(make: Callable[[Client], list[str]], pin: bool | None) -> Callable[[Client], Done]:
    def apply(client: Client) -> Done:
        for made in make(client):
            if pin:
                client.change_vplm(made, pin=True)
        return Done()

    return apply


def _request(wanted: Description, id: str, kind: type[M], spec: dict[str, Any]) -> M:
    try:
        return kind.model_validate(spec)
    except ValidationError as error:
        wrong = field_errors(error.errors(include_url=False))
        raise wanted.fault(
            ".".join(filter(None, (_key(id), wrong[0].field))),
            f"{wrong[0].message}.",
            "Correct it; hmi create --help shows a whole file.",
        ) from None


def _runs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """First and length of each run of neighbours."""
    for _, members in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
        run = [number for _, number in members]
        yield run[0], len(run)


def _differing(entry: VplmEntry, there: list[Vplm]) -> Iterator[Step]:
    """Those that are to change, each on its own line, and how many are as they should be."""
    same: list[str] = []
    for now in there:
        changes: dict[str, Any] = {}
        told: list[str] = []
        for field in ("domain", "mode", "miss"):
            value, before = getattr(entry, field), getattr(now, field)
            if value is not None and value != before:
                changes[field] = value
                told.append(shift(field, before or "as the engine", value))
        if entry.pin is not None and entry.pin != now.pinned:
            changes["pin"] = entry.pin
            told.append("pinned" if entry.pin else "unpinned")
        if changes:
            yield Step("~", "vplm", now.id, ", ".join(told), apply=_change(now.id, changes))
        else:
            same.append(now.id)
    if same:
        name = same[0] if len(same) == 1 else f"{same[0]} and {len(same) - 1:,} more"
        yield Step("=", "vplm", name, count=len(same))


def _change(id: str, changes: dict[str, Any]) -> Callable[[Client], Done]:
    def apply(client: Client) -> Done:
        client.change_vplm(id, **changes)
        return Done()

    return apply


def _told(entry: VplmEntry) -> str:
    parts = [", ".join(entry.labels)] if entry.labels else []
    parts += [f"on {entry.backbone}"] if entry.backbone else []
    parts += [f"in {entry.domain}"] if entry.domain else []
    start = entry.copy_of or entry.starter or entry.adapter
    parts += [f"from {start}"] if start else []
    return "; ".join(parts)
