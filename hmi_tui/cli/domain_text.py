"""Domains as `hmi domain` prints them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hmi_tui.cli.output import instant, percent, table
from hmi_tui.figures import many, seconds, size, update_rule

if TYPE_CHECKING:
    from engine.schema import Domain, DomainEpochs, NgramPage, RebuildCost


def ngram_table(page: NgramPage) -> str:
    """A table of n-grams and where their rows come from."""
    rows = ((one.text, str(one.count), str(one.hits), one.source) for one in page.data)
    return table(("N-GRAM", ">COUNT", ">HITS", "FROM"), rows)


def epoch_table(found: DomainEpochs) -> str:
    """A line an epoch; the one that serves comes first."""
    heads = (">EPOCH", ">ENTRIES", ">BYTES", ">ALPHA", ">COVERED", ">HIT RATE", ">LOOKUPS")
    return table(
        (*heads, "ENCODER", "PUBLISHED", "REPLACED"),
        (
            (
                str(one.epoch),
                str(one.entries),
                size(one.bytes),
                f"{one.alpha:g}",
                percent(one.coverage),
                percent(one.hit_rate),
                str(one.lookups),
                one.encoder,
                instant(one.published_at),
                instant(one.replaced_at),
            )
            for one in found.data
        ),
    )


def cost_pairs(cost: RebuildCost) -> list[tuple[str, str]]:
    """What a rebuild would take."""
    return [
        ("domain", cost.domain),
        ("kind", cost.kind),
        ("epoch", str(cost.epoch)),
        ("tokens", str(cost.tokens)),
        ("lookups", str(cost.lookups)),
        ("entries", f"about {cost.entries}"),
        ("bytes", f"about {size(cost.bytes)}, {size(cost.disk_free_bytes)} are free"),
        ("time", f"about {seconds(cost.seconds)}"),
        *([("training", seconds(cost.train_seconds))] if cost.train_seconds else []),
        *(("note", told) for told in cost.warnings),
    ]


def domain_pairs(one: Domain) -> list[tuple[str, str]]:
    """All there is to say of one domain, as names and values."""
    return [
        ("name", one.name),
        ("kind", one.kind),
        ("parent", one.parent or "none; the root"),
        ("state", one.state if one.damage is None else f"{one.state}: {one.damage}"),
        ("epoch", str(one.epoch)),
        ("published", instant(one.published_at)),
        ("own entries", f"{one.entries}, {size(one.bytes)}"),
        ("seen entries", str(one.view_entries)),
        ("hit rate", f"{percent(one.hit_rate)} ({one.hits} hits, {one.misses} misses)"),
        (
            "this epoch",
            f"{one.recent_lookups} lookups, {percent(one.recent_miss_rate)} of them misses",
        ),
        (
            "misses",
            f"{one.computed} computed, {one.cached} computed lately, {one.backed_off} backed off",
        ),
        ("updates", update_rule(one.policy)),
        ("corpus", f"{many(one.corpus_lines, 'line')}, {size(one.corpus_bytes)}"),
        ("encoder", one.encoder),
        ("vPLMs", str(one.vplms)),
        ("created", instant(one.created_at)),
    ]
