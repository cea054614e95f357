"""Where the adapters are: per tier how many, their bytes, hits and misses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from textual.content import Content

from engine.schema import Tier, TierStatus
from hmi_tui import figures, tones
from hmi_tui.widgets.panel import Panel, muted


class TiersPanel(Panel):
    TITLE = "Adapters by tier"

    def lines(self, width: int) -> Sequence[Content]:
        status = self.snapshot.status
        if status is None:
            return [muted("Nothing was read yet.")]
        wide = width >= 50
        header = f"{'tier':<7}{'here':>8}{'bytes':>10}{'hit rate':>10}"
        lines = [muted(header + (f"{'hits':>10}{'misses':>9}" if wide else ""))]
        for name in reversed(get_args(Tier)):
            tier = status.tiers.get(name)
            if tier is not None:
                lines.append(_line(name, tier, wide))
        return lines


def _line(name: str, tier: TierStatus, wide: bool) -> Content:
    asked = tier.hits + tier.misses
    hit_rate = tier.hits / asked if asked else None
    text = (
        f"{figures.count(tier.resident):>8}{figures.size(tier.bytes):>10}"
        f"{figures.share(hit_rate):>10}"
    )
    if wide:
        text += f"{figures.count(tier.hits):>10}{figures.count(tier.misses):>9}"
    return Content.assemble((f"{name:<7}", tones.ACCENT), text)
