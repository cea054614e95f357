"""`hmi tenant`: tenants, their weights, quotas and keys."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from hmi_tui.cli.grammar import SIZE, Branch, connect, flag, say
from hmi_tui.cli.key import keyed, use
from hmi_tui.cli.output import instant, listing, readable, record, show, table
from hmi_tui.cli.paging import gather, paged
from hmi_tui.figures import many, money, seconds, size

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.schema import Cost, Quota, Tenant, TenantCreated


NO_LIMIT = "no limit"


class Limit(click.ParamType[Any]):
    """A number, or `none` for no limit."""

    name = "number|none"

    def __init__(self, kind: click.ParamType[Any]) -> None:
        self._kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if value == "none" else self._kind.convert(value, param, ctx)


def _limits(command: Callable[..., Any]) -> Callable[..., Any]:
    for decorate in (
        flag("--weight", type=float, help="Share of the engine, relative to others (1)."),
        flag(
            "--max-training",
            "training_minutes",
            type=Limit(click.FLOAT),
            help="Minutes of training a month.",
        ),
        flag("--max-concurrency", "concurrency", type=Limit(click.INT), help="Requests at once."),
        flag("--max-rps", "rps", type=Limit(click.FLOAT), help="Requests a second."),
        flag("--max-bytes", "bytes", type=Limit(SIZE), help="Bytes of adapters and datasets."),
        flag("--max-vplms", "vplms", type=Limit(click.INT), help="Number of vPLMs."),
    ):
        command = decorate(command)
    return command


@click.group(cls=Branch)
def tenant() -> None:
    """Tenants: weights, limits and keys."""


@tenant.command()
@click.argument("name")
@_limits
@readable
def create(name: str, weight: float | None, **limits: Any) -> None:
    """Create a tenant. Its API key is shown now and never again."""
    with connect() as client:
        created = client.create_tenant(name, 1.0 if weight is None else weight, _quota(limits))
    _show_created(created)


@tenant.command()
@paged
@readable
def ls(q: str, sort: str | None, limit: int) -> None:
    """List tenants."""
    with connect() as client:
        found, total = gather(lambda n, c: client.tenants(q, n, c, sort), limit)
    show(listing(found, total), [one.name for one in found], lambda: _table(found))


@tenant.command("show")
@click.argument("name")
@readable
def show_one(name: str) -> None:
    """Show one tenant."""
    with connect() as client:
        found = client.tenant(name)
    show(found, [found.name], lambda: record(_pairs(found)))


@tenant.command("set")
@click.argument("name")
@_limits
@readable
def set_limits(name: str, weight: float | None, **limits: Any) -> None:
    """Change a tenant's weight and limits; what is not given stays."""
    from engine.schema import Quota

    given = any(value is not None for value in limits.values())
    if weight is None and not given:
        raise click.UsageError("Nothing to change: give --weight or a limit.")
    with connect() as client:
        old = client.tenant(name).quota if given else Quota()
        changed = client.change_tenant(name, weight, _quota(limits, old) if given else None)
    show(changed, [changed.name], lambda: record(_pairs(changed)))


@tenant.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@flag("--yes", "-y", is_flag=True, help="Do not ask.")
def rm(names: tuple[str, ...], yes: bool) -> None:
    """Remove tenants with all their vPLMs and datasets."""
    with connect() as client:
        for name in names:
            held = client.tenant(name).vplms
            if held and not yes and sys.stdin.isatty():
                click.confirm(f"Remove {name} and its {many(held, 'vPLM')}?", abort=True, err=True)
            client.remove_tenant(name)
            click.echo(name)


@tenant.command()
@click.argument("name")
@keyed
def key(name: str, **asked: Any) -> None:
    """List a tenant's API keys, or make, rotate or revoke one.

    A key is shown when it is made, and never again. --rotate makes one in place of all of them,
    or of --id alone; with --overlap 1h the old ones work for an hour more, else no longer.
    """
    use(name, **asked)


def _quota(limits: dict[str, Any], old: Quota | None = None) -> Quota:
    from engine.schema import Quota
    from hmi_tui.cli.requests import build

    fields = old.model_dump() if old is not None else {}
    for name, value in limits.items():
        if value is not None:
            fields[name] = None if value == "none" else value
    return build(Quota, **fields)


def _show_created(created: TenantCreated) -> None:
    pairs = [("name", created.name), ("api_key", created.api_key)]
    show(created, [created.name], lambda: record(pairs))
    say("The key is shown this once; keep it.")


def _limit(value: float | None) -> str:
    return NO_LIMIT if value is None else f"{value:g}"


def _most(limit: int | None) -> str:
    return NO_LIMIT if limit is None else size(limit)


def _minutes(one: Tenant) -> str:
    minutes = one.quota.training_minutes
    return NO_LIMIT if minutes is None else seconds(60 * minutes)


def _cost(cost: Cost) -> str:
    parts = (("storage", cost.storage), ("requests", cost.requests), ("training", cost.training))
    detail = ", ".join(f"{name} {money(amount)}" for name, amount in parts)
    return f"{money(cost.total, cost.currency)} ({detail})"


def _table(tenants: list[Tenant]) -> str:
    heads = ("NAME", ">WEIGHT", ">VPLMS", ">STORED", ">MAX VPLMS", ">MAX RPS", "CREATED")
    return table(
        heads,
        (
            (
                one.name,
                f"{one.weight:g}",
                str(one.vplms),
                size(one.stored_bytes),
                _limit(one.quota.vplms),
                _limit(one.quota.rps),
                instant(one.created_at),
            )
            for one in tenants
        ),
    )


def _pairs(one: Tenant) -> list[tuple[str, str]]:
    return [
        ("name", one.name),
        ("weight", f"{one.weight:g}"),
        ("vPLMs", f"{one.vplms} of {_limit(one.quota.vplms)}"),
        ("versions", str(one.versions)),
        ("keeps", f"{size(one.used_bytes)} of {_most(one.quota.bytes)}"),
        ("adapters", f"{size(one.stored_bytes)}, {many(one.adapters, 'file')}"),
        ("datasets", f"{size(one.dataset_bytes)}, {many(one.datasets, 'file')}"),
        ("saves", f"{size(one.saved_bytes)} of {size(one.dedicated_bytes)} for private copies"),
        ("requests/s", f"{one.requests_per_s:.1f} of {_limit(one.quota.rps)}"),
        ("at once", f"{one.in_flight} of {_limit(one.quota.concurrency)}"),
        ("p99", seconds(one.p99_s)),
        ("requests", f"{one.requests_month} this month"),
        ("training", f"{seconds(one.training_month_s)} of {_minutes(one)} this month"),
        *([] if one.cost is None else [("cost", _cost(one.cost))]),
        ("created", instant(one.created_at)),
    ]
