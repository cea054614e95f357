"""The domain tree as lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from hmi_tui.cli.output import percent, table
from hmi_tui.figures import size

if TYPE_CHECKING:
    from engine.schema import Domain

HEADS = ("DOMAIN", ">ENTRIES", ">BYTES", ">SEEN", ">HIT RATE", ">EPOCH", ">VPLMS", "STATE")


def tree_table(domains: Iterable[Domain]) -> str:
    """A line a node under its parent; SEEN is the number of entries that a lookup there sees."""
    return table(
        HEADS,
        (
            (
                stem + one.name,
                str(one.entries),
                size(one.bytes),
                str(one.view_entries),
                percent(one.hit_rate),
                str(one.epoch),
                str(one.vplms),
                one.state,
            )
            for stem, one in branches(domains)
        ),
    )


def branches(domains: Iterable[Domain]) -> Iterator[tuple[str, Domain]]:
    """Each node, depth first, with the lines that lead to it, such as "│  └─ "."""
    children: dict[str | None, list[Domain]] = {}
    known = list(domains)
    names = {one.name for one in known}
    for one in known:
        children.setdefault(one.parent if one.parent in names else None, []).append(one)

    def below(parent: str | None, stem: str) -> Iterator[tuple[str, Domain]]:
        siblings = children.get(parent, [])
        for one in siblings:
            last = one is siblings[-1]
            yield stem + ("└─ " if last else "├─ "), one
            yield from below(one.name, stem + ("   " if last else "│  "))

    for root in children.get(None, []):
        yield "", root
        yield from below(root.name, "")
