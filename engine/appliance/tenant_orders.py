"""Orders of tenants that the catalogue cannot tell: by what was measured, and by what it costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from engine.appliance.core import Core
from store.rows import TenantRow

Figure = Callable[[str], float | None]
"""Of a tenant by name; None where there is nothing to say."""


def _nothing(_: str) -> None:
    return None


def _rates(core: Core) -> Figure:
    rates = core.metrics.tenants()
    # Nobody asked is a rate too.
    return lambda name: rates[name].requests_per_s if name in rates else 0.0


def _p99(core: Core) -> Figure:
    rates = core.metrics.tenants()
    return lambda name: rates[name].p99_s if name in rates else None


def _costs(core: Core) -> Figure:
    tariff = core.tariff.now()
    if tariff is None:
        return _nothing
    names = [row.name for row in core.catalogue.tenants.page(limit=-1)[0]]
    held = core.catalogue.holdings.of_all(names)
    asked, trained = core.usage.requests(), core.usage.training_seconds()
    return lambda name: (
        tariff.cost(held[name].bytes, asked.get(name, 0), trained.get(name, 0.0)).total
    )


MEASURED: Mapping[str, Callable[[Core], Figure]] = {
    "requests_per_s": _rates,
    "p99_s": _p99,
    "cost": _costs,
}
"""By what a user may sort, beside what the catalogue knows."""


def measured(core: Core, rows: Sequence[TenantRow], sort: str) -> list[TenantRow]:
    """`rows` in order of one of MEASURED, with a leading '-' for descending.

    Those without a figure come last either way; ties stay in the order in which they were given.
    """
    figure = MEASURED[sort.removeprefix("-")](core)
    known = [(value, row) for row in rows if (value := figure(row.name)) is not None]
    known.sort(key=lambda pair: pair[0], reverse=sort.startswith("-"))
    return [row for _, row in known] + [row for row in rows if figure(row.name) is None]
