"""Domains as `hmi domain` prints them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hmi_tui.cli.output import instant, percent, table
from hmi_tui.figures import seconds, size

if TYPE_CHECKING:
    from engine.schema import Domain, NgramPage, UpdatePolicy


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
        ("updates", _updates(one.policy)),
        ("corpus", f"{one.corpus_lines} lines, {size(one.corpus_bytes)}"),
        ("encoder", one.encoder),
        ("vPLMs", str(one.vplms)),
        ("created", instant(one.created_at)),
    ]


def _updates(policy: UpdatePolicy) -> str:
    """When a domain learns from its traffic, in words."""
    if policy.update == "manual":
        return "by hand"
    when = "when idle"
    if policy.update == "miss_rate":
        when = f"when more than {percent(policy.miss_rate)} of lookups miss"
    pause = seconds(policy.cooldown_s)
    return f"{when}, after {policy.min_lookups} lookups; at most every {pause}"
