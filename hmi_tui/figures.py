"""Numbers as an operator reads them: bytes, counts, durations, shares, bars and small curves."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.schema import UpdatePolicy

NOTHING = "–"  # noqa: RUF001
"""Stands where there is no number."""

_SPARKS = " ▁▂▃▄▅▆▇"
_EIGHTHS = " ▏▎▍▌▋▊▉"


def size(count: float | None) -> str:
    """Bytes as "3.1 GiB"; powers of 1024, two or three digits that matter."""
    if count is None:
        return NOTHING
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(value) < 1024:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 10 else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def of_total(used: float | None, total: float) -> str:
    """Bytes used of bytes there are, the unit once where it is the same: "3.1 of 7.8 GiB"."""
    first, second = size(used), size(total)
    if first.split(" ")[-1] == second.split(" ")[-1]:
        first = first.split(" ")[0]
    return f"{first} of {second}"


def count(number: float | None) -> str:
    """A whole number as "12,345", or as "1.2 M" when it has more than six digits."""
    if number is None:
        return NOTHING
    if abs(number) < 1e6:
        return f"{number:,.0f}"
    return f"{number / 1e6:.1f} M" if abs(number) < 1e9 else f"{number / 1e9:.1f} G"


def rate(number: float | None) -> str:
    """A number a second: one decimal below a thousand, whole above."""
    if number is None:
        return NOTHING
    return f"{number:.1f}" if abs(number) < 1000 else count(number)


def many(number: int, noun: str) -> str:
    """ "1 row", or "2,500 rows"."""
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"


def share(fraction: float | None, decimals: int = 0) -> str:
    """A share of 1 as "71 %"."""
    return NOTHING if fraction is None else f"{100 * fraction:.{decimals}f} %"


def held_out(accuracy: float | None, perplexity: float | None) -> str:
    """What held-out rows said: a share of 1, or of what generates its perplexity, "ppl 80.6"."""
    return share(accuracy, 1) if perplexity is None else f"ppl {perplexity:.4g}"


def seconds(duration: float | None) -> str:
    """A duration as "420 µs", "8.1 ms", "1.2 s", "3 m 12 s", "2 h 05 m" or "3 d 4 h"."""
    if duration is None:
        return NOTHING
    if duration <= 0:
        return "0 ms"
    if duration < 1:
        return _fraction(duration)
    if duration < 60:
        return f"{duration:.1f} s" if duration < 10 else f"{duration:.0f} s"
    whole = int(duration)
    if whole < 3600:
        return f"{whole // 60} m {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} m"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def _fraction(duration: float) -> str:
    if duration < 0.001:
        return f"{duration * 1e6:.0f} µs"
    return f"{duration * 1e3:.1f} ms" if duration < 0.01 else f"{duration * 1e3:.0f} ms"


def money(amount: float, currency: str = "") -> str:
    """An amount with two decimals, and what it is in."""
    return f"{amount:,.2f} {currency}".strip()


def clock(instant: float) -> str:
    """The local time of day of a Unix time."""
    return time.strftime("%H:%M:%S", time.localtime(instant))


def age(duration: float) -> str:
    """How long ago, coarsely: one unit only."""
    for length, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if duration >= length:
            return f"{int(duration // length)} {unit}"
    return f"{max(0, int(duration))} s"


def shorten(text: str, width: int) -> str:
    """At most `width` characters of `text`; the last is an ellipsis if some are missing."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"


def line_bar(fraction: float | None, width: int) -> tuple[str, str]:
    """A thin bar: its filled part and its rest, `width` cells together, in half cells."""
    halves = round(max(0.0, min(1.0, fraction or 0.0)) * width * 2)
    if fraction and not halves:
        halves = 1
    filled = "━" * (halves // 2) + ("╸" if halves % 2 else "")
    return filled, "─" * (width - len(filled))


def block_bar(fraction: float, width: int) -> str:
    """A full-height bar of at most `width` cells, in eighths of a cell, padded with spaces."""
    eighths = round(max(0.0, min(1.0, fraction)) * width * 8)
    whole, part = divmod(eighths, 8)
    bar = "█" * whole + (_EIGHTHS[part] if part else "")
    return bar.ljust(width)


def spark(values: Sequence[float | None], width: int, top: float | None = None) -> str:
    """The last `width` values as one row of blocks, scaled to `top` or to their maximum.

    The highest block is not a full one, so that lines under each other stay apart.
    """
    last = list(values[-width:]) if width > 0 else []
    scale = top or max((value for value in last if value is not None), default=0.0)
    return "".join(_SPARKS[_level(value, scale)] for value in last).rjust(width)


_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))


def thin_curve(
    values: Sequence[float | None], width: int, height: int, top: float | None = None
) -> list[str]:
    """The last 2 x `width` values as a thin line of dots in `height` rows, from zero to the top."""
    last = list(values[-2 * width :]) if width > 0 else []
    scale = top or max((value for value in last if value is not None), default=0.0)
    cells = [[0x2800] * width for _ in range(height)]
    before: int | None = None
    for column, value in enumerate(last, 2 * width - len(last)):
        if value is None:
            before = None
            continue
        here = round((1 - (min(1.0, value / scale) if scale > 0 else 0)) * (4 * height - 1))
        start = here if before is None else before
        for dot in range(min(start, here), max(start, here) + 1):
            cells[dot // 4][column // 2] |= _DOTS[column % 2][dot % 4]
        before = here
    return ["".join(map(chr, row)) for row in cells]


def _level(value: float | None, scale: float) -> int:
    """A known value shows at least one eighth, so that zero differs from unknown."""
    if value is None:
        return 0
    return max(1, round(min(1.0, value / scale) * 7)) if scale > 0 else 1


def update_rule(policy: UpdatePolicy) -> str:
    """When a domain learns from its traffic, in words."""
    if policy.update == "manual":
        return "by hand"
    when = "when idle"
    if policy.update == "miss_rate":
        when = f"when more than {share(policy.miss_rate)} of lookups miss"
    pause = seconds(policy.cooldown_s)
    return f"{when}, after {policy.min_lookups} lookups; at most every {pause}"
