"""One batch: who was in it, and the seconds of its stages."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from hmi_tui import figures, tones
from hmi_tui.hints import hint
from hmi_tui.timeline.recording import Batch
from hmi_tui.widgets.fact_list import Fact
from hmi_tui.widgets.panel import Panel, bar_line, muted

STAGES = ("queue", "retrieve", "load", "compute")
NAMED = 3
"""Tenants that are named beside the batch; all that are known in its description."""


class BatchPanel(Panel):
    TITLE = "Batch"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.told: Batch | None = None

    def tell_batch(self, batch: Batch | None, *, chosen: bool) -> None:
        """Show it; `chosen` or else the newest one in view."""
        self.told = batch
        self.border_title = self.TITLE
        if batch is not None:
            took = figures.seconds(batch.end - batch.start)
            self.border_title = f"Batch {batch.number}{'' if chosen else ', the newest'} · {took}"
        self.border_subtitle = hint(
            self,
            "<choose:enter> says more · <let_go:esc> lets go"
            if chosen
            else "<up:↑> <down:↓> choose",
        )
        self.refresh()

    def lines(self, width: int) -> Sequence[Content]:
        batch = self.told
        if batch is None:
            return [muted("No batch in view.")]
        facts = (
            ("with", texts_of(batch)),
            ("of", owners(batch, NAMED)),
            ("tokens", tokens(batch)),
        )
        lines = [
            Content.assemble((name.ljust(9), tones.MUTED), figures.shorten(value, width - 9))
            for name, value in facts
        ]
        took = batch.end - batch.start
        for stage in STAGES:
            seconds = batch.seconds.get(stage, 0.0)
            part = seconds / took if took > 0 else 0.0
            lines.append(bar_line(stage, part, figures.seconds(seconds), width, names=8))
        return lines


def texts_of(batch: Batch) -> str:
    adapters = "adapter" if batch.models == 1 else "adapters"
    return f"{_texts(batch.texts)} through {figures.count(batch.models)} {adapters}"


def _texts(count: int) -> str:
    return f"{figures.count(count)} text{'' if count == 1 else 's'}"


def tokens(batch: Batch) -> str:
    if batch.misses is None or not batch.tokens:
        return f"{figures.count(batch.tokens)}, no table asked"
    return (
        f"{figures.count(batch.tokens)}, {figures.share(batch.misses / batch.tokens)} not in tables"
    )


def owners(batch: Batch, most: int) -> str:
    """The tenants with most texts, with how many, and how many tenants more."""
    named = list(batch.largest.items())[:most]
    text = ", ".join(f"{tenant} {count}" for tenant, count in named)
    more = batch.tenants - len(named)
    return f"{text} and {more} more" if more > 0 else text


def batch_facts(batch: Batch) -> list[Fact]:
    """All there is to say of a batch."""
    took = batch.end - batch.start
    facts: list[Fact] = [
        ("with", texts_of(batch)),
        ("tokens", tokens(batch)),
        ("tenants", figures.count(batch.tenants)),
        *((f"  {tenant}", _texts(count)) for tenant, count in batch.largest.items()),
        *_models(batch),
    ]
    for stage in STAGES:
        seconds = batch.seconds.get(stage, 0.0)
        part = figures.share(seconds / took, 1) if took > 0 else figures.NOTHING
        facts.append((stage, f"{figures.seconds(seconds)}, {part}"))
    facts.append(("all", f"{figures.seconds(took)}, from its oldest text's arrival to its end"))
    return facts


def _models(batch: Batch) -> list[Fact]:
    """The adapters by whose they are; older engines give the number alone."""
    more = batch.models - len(batch.vplms)
    facts: list[Fact] = [("adapters", figures.count(batch.models))]
    facts += ((f"  {vplm}", _texts(count)) for vplm, count in batch.vplms.items())
    if batch.vplms and more > 0:
        facts.append(("  and more", f"of {figures.count(more)} other adapters"))
    return facts
