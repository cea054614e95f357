"""Data on stdout: for people, as JSON, or ids only."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hmi_tui import figures

if TYPE_CHECKING:
    from pydantic import BaseModel

F = TypeVar("F", bound=Callable[..., Any])


def _keep(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and ctx.meta.setdefault("hmi.form", param.name) != param.name:
        raise click.UsageError("--json and --quiet exclude each other.", ctx)


def readable(command: F) -> F:
    """Give a reading command --json and --quiet."""
    common: dict[str, Any] = {
        "is_flag": True,
        "expose_value": False,
        "callback": _keep,
        "show_envvar": True,
    }
    quiet = click.option("-q", "--quiet", envvar="HMI_QUIET", help="Print ids only.", **common)
    as_json = click.option("--json", envvar="HMI_JSON", help="Print a JSON document.", **common)
    return as_json(quiet(command))


def wants_json() -> bool:
    return click.get_current_context().meta.get("hmi.form") == "json"


def wants_ids() -> bool:
    return click.get_current_context().meta.get("hmi.form") == "quiet"


def show(
    document: BaseModel | dict[str, Any], ids: Iterable[str], people: Callable[[], str]
) -> None:
    """Print `document` in the form that was asked for; `people` makes the text for people."""
    if wants_json():
        plain = document if isinstance(document, dict) else document.model_dump(mode="json")
        click.echo(json.dumps(plain, indent=2, ensure_ascii=False))
    elif wants_ids():
        for one in ids:
            click.echo(one)
    else:
        click.echo(people())


def listing(items: Sequence[BaseModel], total: int | None = None) -> dict[str, Any]:
    """The API's list document of `items`; `total` counts those beyond a limit as well."""
    return {
        "object": "list",
        "data": [item.model_dump(mode="json") for item in items],
        "total": len(items) if total is None else total,
    }


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Aligned columns; a head that starts with ">" is a column of numbers, set to the right."""
    right = [head.startswith(">") for head in heads]
    grid = [[head.lstrip(">") for head in heads], *(list(row) for row in rows)]
    widths = [max(len(row[i]) for row in grid) for i in range(len(heads))]
    lines = (
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in grid
    )
    return "\n".join(lines)


def record(pairs: Iterable[tuple[str, str]]) -> str:
    """One thing: a line a property."""
    kept = list(pairs)
    width = max(len(name) for name, _ in kept)
    return "\n".join(f"{name.ljust(width)}  {value}" for name, value in kept)


def percent(fraction: float | None) -> str:
    """A share of 1 with one decimal."""
    return figures.share(fraction, 1)


def instant(when: float | None) -> str:
    """A Unix time as local date and time."""
    from datetime import datetime

    if when is None:
        return figures.NOTHING
    return datetime.fromtimestamp(when).astimezone().strftime("%Y-%m-%d %H:%M:%S")
