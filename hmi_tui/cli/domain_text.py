"""Domains as `hmi domain` prints them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hmi_tui.cli.output import instant, percent, table
from hmi_tui.figures import size, update_rule

if TYPE_CHECKING:
    from engine.schema import Domain, NgramPage


def ngram_table(page: NgramPage) -> str:
    """A table of n-grams and where their rows come from."""
    rows = ((one.text, str(one.count), str(one.hits), one.source) for one in page.data)
    return table(("N-GRAM", ">COUNT", ">HITS", "FROM"), rows)


def domain_pairs(one: Domain) -> list[tuple[str, str]]:
    """All there is to say of one domain, as names and values."""
    return [
        ("name", one.name),
        ("parent", one.parent or "none; the root"),
        ("state", one.state if one.damage is None else f"{one.state}: {one.damage}"),
        ("epoch", str(one.epoch)),
        ("own entries", f"{one.entries}, {size(one.bytes)}"),
        ("seen entries", str(one.view_entries)),
        ("hit rate", f"{percent(one.hit_rate)} ({one.hits} hits, {one.misses} misses)"),
        (
            "this epoch",
            f"{one.recent_lookups} lookups, {percent(one.recent_miss_rate)} of them misses",
        ),
        ("updates", update_rule(one.policy)),
        ("corpus", f"{one.corpus_lines} lines, {size(one.corpus_bytes)}"),
        ("encoder", one.encoder),
        ("vPLMs", str(one.vplms)),
        ("created", instant(one.created_at)),
    ]
