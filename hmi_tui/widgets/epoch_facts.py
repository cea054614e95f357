"""Two epochs of a domain side by side, with what changed between them."""

from __future__ import annotations

from collections.abc import Callable

from engine.schema import DomainEpoch
from hmi_tui import figures
from hmi_tui.widgets.fact_list import Fact

Measure = tuple[str, Callable[[DomainEpoch], float | None], Callable[[float | None], str]]

MEASURES: tuple[Measure, ...] = (
    ("entries", lambda e: e.entries, figures.count),
    ("bytes", lambda e: e.bytes, figures.size),
    ("alpha", lambda e: e.alpha, lambda value: f"{value:g}"),
    ("covered", lambda e: e.coverage, lambda value: figures.share(value, 1)),
    ("hit rate", lambda e: e.hit_rate, lambda value: figures.share(value, 1)),
    ("lookups", lambda e: e.lookups, figures.count),
    ("rebuilt in", lambda e: e.seconds, figures.seconds),
)


def compared(old: DomainEpoch, new: DomainEpoch) -> list[Fact]:
    """Each measure of the older and of the newer epoch, and the difference."""
    facts: list[Fact] = [("epoch", f"{old.epoch} → {new.epoch}")]
    for name, read, show in MEASURES:
        before, after = read(old), read(new)
        text = f"{show(before)} → {show(after)}"
        if before is not None and after is not None and before != after:
            sign = "+" if after > before else "−"  # noqa: RUF001
            text += f"  ({sign}{show(abs(after - before))})"
        facts.append((name, text))
    facts.append(
        ("encoder", old.encoder if old.encoder == new.encoder else f"{old.encoder} → {new.encoder}")
    )
    return facts
