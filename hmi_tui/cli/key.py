"""`hmi key` and `hmi tenant key`: what opens the engine's door over the network."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from hmi_tui.cli.grammar import Leaf, connect, flag, say
from hmi_tui.cli.output import instant, readable, record, show, table
from hmi_tui.figures import NOTHING

if TYPE_CHECKING:
    from engine.schema import Key, KeyCreated, KeyList

_SCOPES = ("infer", "train", "manage")
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


class Scopes(click.ParamType[tuple[str, ...]]):
    """Some of the scopes, with commas."""

    name = "scopes"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        given = tuple(word.strip() for word in str(value).split(",") if word.strip())
        unknown = [word for word in given if word not in _SCOPES]
        if unknown or not given:
            self.fail(f"{value!r} is not made of {', '.join(_SCOPES)}.", param, ctx)
        return given


class Duration(click.ParamType[float]):
    """Seconds, or a number with s, m, h or d."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, int | float):
            return float(value)
        text = str(value).strip().lower()
        unit = _UNITS.get(text[-1:])
        number = text if unit is None else text[:-1]
        try:
            return float(number) * (unit or 1.0)
        except ValueError:
            self.fail(f"{value!r} is not a time; write a number with s, m, h or d.", param, ctx)


def keyed(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the flags that `use` takes."""
    for decorate in (
        flag("--revoke", metavar="ID", help="End the key with that id, at once."),
        flag("--overlap", type=Duration(), help="How long what is rotated goes on working (0)."),
        flag("--id", metavar="ID", help="Rotate this one alone, not all."),
        flag("--scopes", type=Scopes(), help="Of a new one: infer, train, manage (all)."),
        flag("--rotate", is_flag=True, help="Make a key in place of those that there are."),
        flag("--new", is_flag=True, help="Make another key."),
    ):
        command = decorate(command)
    return readable(command)


@click.command(cls=Leaf)
@keyed
def key(**asked: Any) -> None:
    """List the operator's API keys, or make, rotate or revoke one.

    Over the socket none is needed. A key is shown when it is made, and never again.
    """
    use(None, **asked)


def use(
    tenant: str | None,
    *,
    new: bool,
    rotate: bool,
    scopes: tuple[Any, ...] | None,
    id: str | None,
    overlap: float | None,
    revoke: str | None,
) -> None:
    """Do with a tenant's keys, or with None the operator's, what was asked for."""
    if sum((new, rotate, revoke is not None)) > 1:
        raise click.UsageError("Give one of --new, --rotate and --revoke.")
    if (id is not None or overlap is not None) and not rotate:
        raise click.UsageError("--id and --overlap are of --rotate.")
    if scopes is not None and not (new or rotate):
        raise click.UsageError("--scopes is of --new and --rotate.")
    with connect() as client:
        if revoke is not None:
            client.revoke_key(revoke, tenant)
            click.echo(revoke)
            return
        known = client.keys(tenant)
        if not (new or rotate):
            _list(known)
            return
        kept = scopes or _scopes_of(known, id)
        replaces = (id or "all") if rotate else None
        created = client.create_key(tenant, kept, replaces, overlap or 0.0)
    _show(created)


def _scopes_of(known: KeyList, id: str | None) -> tuple[Any, ...]:
    """A key that is rotated alone keeps what it is for."""
    for one in known.data:
        if one.id == id:
            return tuple(one.scopes)
    return _SCOPES


def _show(created: KeyCreated) -> None:
    pairs = [
        ("holder", created.tenant or "the operator"),
        ("id", created.id),
        ("scopes", ", ".join(created.scopes)),
        ("api_key", created.api_key),
    ]
    show(created, [created.id], lambda: record(pairs))
    say("The key is shown this once; keep it.")


def _list(known: KeyList) -> None:
    document = known.model_dump(mode="json")
    show(document, [one.id for one in known.data], lambda: _table(known.data))


def _table(keys: list[Key]) -> str:
    return table(
        ("ID", "SCOPES", "CREATED", "LAST USED", "ENDS"),
        (
            (
                one.id,
                ", ".join(one.scopes),
                instant(one.created_at),
                instant(one.last_used),
                NOTHING if one.expires_at is None else instant(one.expires_at),
            )
            for one in keys
        ),
    )
