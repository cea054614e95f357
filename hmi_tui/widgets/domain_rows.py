"""The tree of domains as rows with guides, so that its numbers stand in columns."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from engine.schema import Domain, NgramEntry
from hmi_tui import figures
from hmi_tui.tones import Tone
from hmi_tui.widgets.columns import Cell, Column, arranged, at_hand

STATES: dict[str, tuple[str, Tone]] = {
    "empty": ("○ empty", "muted"),
    "ready": ("● ready", "good"),
    "rebuilding": ("↻ rebuilding", "warn"),
    "stale": ("◌ stale", "warn"),
    "damaged": ("✗ damaged", "bad"),
}


@dataclass(frozen=True, slots=True)
class DomainRow:
    """A node and the guides before its name."""

    guide: str
    domain: Domain
    folded: int
    """How many nodes are hidden under it."""


def tree_rows(
    domains: Sequence[Domain], folded: Collection[str], sort: str | None = None
) -> list[DomainRow]:
    """The visible nodes, depth first; those under a name in `folded` are left out.

    `sort` orders the children of each node among themselves.
    """
    level_rows = arranged([DomainRow("", domain, 0) for domain in domains], DOMAINS, sort)
    domains = [row.domain for row in level_rows]
    children: dict[str | None, list[Domain]] = {}
    known = {domain.name for domain in domains}
    for domain in domains:
        parent = domain.parent if domain.parent in known else None
        children.setdefault(parent, []).append(domain)
    rows: list[DomainRow] = []

    def hidden(name: str) -> int:
        return sum(1 + hidden(child.name) for child in children.get(name, ()))

    def walk(parent: str | None, lead: str) -> None:
        level = children.get(parent, [])
        for number, domain in enumerate(level):
            last = number == len(level) - 1
            guide = "" if parent is None else lead + ("└─ " if last else "├─ ")
            shut = domain.name in folded
            rows.append(DomainRow(guide, domain, hidden(domain.name) if shut else 0))
            if not shut:
                walk(domain.name, "" if parent is None else lead + ("   " if last else "│  "))

    walk(None, "")
    return rows


def _name(row: DomainRow) -> Cell:
    return row.guide + row.domain.name + (f" (+{row.folded})" if row.folded else "")


def _epoch(row: DomainRow) -> Cell:
    return str(row.domain.epoch) if row.domain.epoch else (figures.NOTHING, "muted")


def _age(row: DomainRow) -> Cell:
    at = row.domain.published_at
    return (figures.NOTHING, "muted") if at is None else figures.age(time.time() - at)


def _column(
    title: str,
    cell: Callable[[DomainRow], Cell],
    width: int,
    key: str,
    by: Callable[[Domain], Any],
    **more: Any,
) -> Column[DomainRow]:
    """Text stands at the left, figures at the right."""
    align = "left" if title in ("domain", "state") else "right"
    return at_hand(title, cell, width, key, lambda row: by(row.domain), align=align, **more)


DOMAINS: tuple[Column[DomainRow], ...] = (
    _column("domain", _name, 18, "N", lambda d: d.name, grow=2),
    _column("entries", lambda r: figures.count(r.domain.entries), 9, "E", lambda d: d.entries),
    _column("bytes", lambda r: figures.size(r.domain.bytes), 8, "B", lambda d: d.bytes),
    _column("hits", lambda r: figures.count(r.domain.hits), 9, "H", lambda d: d.hits, rank=1),
    _column("hit rate", lambda r: figures.share(r.domain.hit_rate), 9, "R", lambda d: d.hit_rate),
    Column("epoch", _epoch, 5, "right"),
    _column("age", _age, 5, "A", lambda d: d.published_at, rank=3),
    _column("state", lambda r: STATES[r.domain.state], 12, "S", lambda d: d.state),
    _column("vPLMs", lambda r: figures.count(r.domain.vplms), 7, "V", lambda d: d.vplms, rank=2),
)


def ngram_facts(entry: NgramEntry) -> list[tuple[str, str]]:
    """What there is to say of one n-gram."""
    return [
        ("token ids", " ".join(str(each) for each in entry.ids)),
        ("hits", f"{entry.hits:,}"),
        ("in the corpus", f"{entry.count:,} times"),
        ("row of", entry.source),
    ]


def _part(domain: Domain, lookups: int) -> str:
    """Its share of all lookups, and how many."""
    total = domain.hits + domain.misses
    share_of = lookups / total if total else None
    return f"{figures.share(share_of, 1)} ({figures.count(lookups)})" if total else "not asked yet"


def _published(domain: Domain) -> str:
    at = domain.published_at
    return figures.NOTHING if at is None else f"{figures.age(time.time() - at)} ago"


def domain_facts(domain: Domain) -> list[tuple[str, str]]:
    """What is said beside the tree."""
    corpus = f"{figures.size(domain.corpus_bytes)}, {figures.many(domain.corpus_lines, 'line')}"
    return [
        ("parent", domain.parent or "none, the root"),
        ("state", STATES[domain.state][0]),
        ("epoch", str(domain.epoch) if domain.epoch else "never built"),
        ("published", _published(domain)),
        ("own entries", f"{figures.count(domain.entries)}, {figures.size(domain.bytes)}"),
        ("inherited", figures.count(max(0, domain.view_entries - domain.entries))),
        ("seen entries", figures.count(domain.view_entries)),
        ("hit", _part(domain, domain.hits)),
        ("computed", _part(domain, domain.computed + domain.cached)),
        ("lately", f"{_part(domain, domain.cached)}, of the computed ones"),
        ("backed off", _part(domain, domain.backed_off)),
        ("encoder", domain.encoder),
        ("updates", figures.update_rule(domain.policy)),
        ("corpus", corpus if domain.corpus_bytes else "none; <upload_corpus:u> uploads one"),
        ("vPLMs", figures.count(domain.vplms)),
    ]
