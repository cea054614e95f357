"""`hmi df` and `hmi gc`: what takes up the disk, and letting go of what nothing refers to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from hmi_tui.cli.grammar import Leaf, connect, flag
from hmi_tui.cli.output import readable, record, show, table
from hmi_tui.cli.paging import gather
from hmi_tui.figures import NOTHING, many, money, of_total, share, size

if TYPE_CHECKING:
    from engine.schema import Collected, Storage, Tenant

_TENANTS = 20


@click.command(cls=Leaf)
@flag("--tenants", type=int, default=_TENANTS, show_default=True, help="So many; 0 is all.")
@readable
def df(tenants: int) -> None:
    """Show what takes up the disk, by kind and by tenant.

    Tenants that keep most come first, with what they may keep (hmi tenant set --max-bytes).
    """
    with connect() as client:
        storage = client.storage()
        found, total = gather(lambda n, c: client.tenants("", n, c, "-used_bytes"), tenants)
    document = storage.model_dump(mode="json") | {
        "tenants": [_budget(tenant) for tenant in found],
        "tenants_total": total,
    }
    show(document, [stock.kind for stock in storage.data], lambda: _text(storage, found, total))


@click.command(cls=Leaf)
@readable
def gc() -> None:
    """Remove files that nothing refers to, and that are older than an hour.

    hmi df shows how much that is. Serving goes on meanwhile; nothing that a vPLM, a version, a
    dataset or a domain refers to is touched.
    """
    with connect() as client:
        gone = client.collect_garbage()
    show(gone, [str(gone.bytes)], lambda: _gone(gone))


def _gone(gone: Collected) -> str:
    told = f"{many(gone.files, 'file')} removed, {size(gone.bytes)} freed"
    if gone.left_bytes:
        told += f"; {size(gone.left_bytes)} are younger than an hour and stay for now"
    return told


def _budget(tenant: Tenant) -> dict[str, object]:
    kept = ("name", "vplms", "versions", "adapters", "datasets", "stored_bytes", "dataset_bytes")
    whole = tenant.model_dump(mode="json")
    more = ("used_bytes", "dedicated_bytes", "saved_bytes", "cost")
    return {name: whole[name] for name in (*kept, *more)} | {"quota_bytes": tenant.quota.bytes}


def _text(storage: Storage, tenants: Sequence[Tenant], total: int) -> str:
    kinds = table(
        ("KIND", ">FILES", ">BYTES", ">GARBAGE"),
        (
            (
                stock.kind,
                f"{stock.files:,}",
                size(stock.bytes),
                size(stock.garbage_bytes) if stock.garbage_files else NOTHING,
            )
            for stock in storage.data
        ),
    )
    used = storage.disk_bytes - storage.disk_free_bytes
    facts = record(
        [
            ("in", storage.path),
            ("all", size(storage.bytes)),
            ("hmi gc frees", size(storage.garbage_bytes)),
            (
                "unused",
                f"{size(storage.unused_adapter_bytes)}, {many(storage.unused_adapters, 'adapter')}",
            ),
            (
                "disk",
                f"{of_total(used, storage.disk_bytes)} used, {size(storage.disk_free_bytes)} free",
            ),
        ]
    )
    parts = [kinds, facts]
    if tenants:
        parts.append(_tenants(tenants))
    if total > len(tenants):
        parts.append(f"and {total - len(tenants)} more tenants; --tenants 0 shows all")
    return "\n\n".join(parts)


def _tenants(tenants: Sequence[Tenant]) -> str:
    priced = any(tenant.cost is not None for tenant in tenants)
    heads = ("TENANT", ">VPLMS", ">ADAPTERS", ">DATASETS", ">KEEPS", ">MAY KEEP", ">USED", ">SAVES")
    return table(
        (*heads, ">COST") if priced else heads,
        ((*_row(one), *([_cost(one)] if priced else [])) for one in tenants),
    )


def _row(one: Tenant) -> tuple[str, ...]:
    most = one.quota.bytes
    return (
        one.name,
        str(one.vplms),
        size(one.stored_bytes),
        size(one.dataset_bytes),
        size(one.used_bytes),
        size(most),
        share(one.used_bytes / most) if most else NOTHING,
        size(one.saved_bytes),
    )


def _cost(one: Tenant) -> str:
    return NOTHING if one.cost is None else money(one.cost.total, one.cost.currency)
