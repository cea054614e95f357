"""`hmi audit`: who did what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hmi_tui.cli.grammar import Leaf, connect, flag
from hmi_tui.cli.output import instant, readable, show, table

if TYPE_CHECKING:
    from engine.schema import AuditEntry

_MAX_PAGE = 1000


@click.command(cls=Leaf)
@flag("--filter", "-f", "q", default="", help="Only entries that contain this: a name, a key's id.")
@flag("--limit", type=click.IntRange(0), default=100, show_default=True, help="The last N; 0: all.")
@readable
def audit(q: str, limit: int) -> None:
    """Show who changed what, the newest first.

    Every call that changes something is here, also one that was refused: over the socket with the
    user and process that made it, over the network with the key's id and the address.
    """
    found: list[AuditEntry] = []
    cursor: str | None = None
    with connect() as client:
        while True:
            wanted = min(_MAX_PAGE, limit - len(found)) if limit else _MAX_PAGE
            page = client.audit(q, wanted, cursor)
            found += page.data
            cursor = page.next_cursor
            if cursor is None or (limit and len(found) >= limit):
                break
    document = {"object": "list", "data": [entry.model_dump(mode="json") for entry in found]}
    show(document, [str(entry.id) for entry in found], lambda: _table(found))


def _table(entries: list[AuditEntry]) -> str:
    heads = ("WHEN", "WHO", "FROM", "DID", "TO", ">STATUS", "ASKED")
    return table(
        heads,
        (
            (
                instant(entry.at),
                (entry.key and f"{entry.caller} ({entry.key})") or entry.caller,
                entry.peer,
                entry.action,
                entry.path,
                str(entry.status),
                entry.asked[:60],
            )
            for entry in entries
        ),
    )
