"""How much an engine can take: the highest rate at which p99 stays within a bound."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from engine.load.report import Report

CLOSE = 0.05
"""The search ends when the rate that holds and the one that does not are this near."""
LOWEST = 1.0
"""Requests a second below which nothing is tried."""


@dataclass(frozen=True, slots=True)
class Point:
    """What came of one rate; `holds` says whether p99 stayed within the bound and all answered."""

    rate: float
    answered_per_s: float
    p50_s: float | None
    p99_s: float | None
    failed: int
    late_p99_s: float | None
    holds: bool


@dataclass(frozen=True, slots=True)
class Curve:
    """All rates that were tried, ascending; `rate` is the highest that held, None if none did."""

    limit_s: float
    rate: float | None
    points: tuple[Point, ...]

    def document(self) -> dict[str, Any]:
        return asdict(self)


Measure = Callable[[float], Awaitable[Report]]


class _EndedError(Exception):
    """The run was stopped before its time."""


def judge(rate: float, report: Report, limit_s: float) -> Point:
    found = report.latency_s
    failed = sum(report.errors.values())
    p99 = found["p99"] if found else None
    return Point(
        rate=rate,
        answered_per_s=report.answered_per_s,
        p50_s=found["p50"] if found else None,
        p99_s=p99,
        failed=failed,
        late_p99_s=report.sender_late_p99_s,
        holds=failed == 0 and p99 is not None and p99 <= limit_s,
    )


async def find(
    measure: Measure,
    start: float,
    limit_s: float,
    told: Callable[[Point], None] = lambda _point: None,
) -> Curve:
    """Double the rate from `start` until it is too much, halve it if that is too much already,
    then bisect until within CLOSE. A run that is ended early ends the search.

    A rate is too much when it does not hold twice: one hiccup of the machine is not its limit.
    """
    points: list[Point] = []

    async def attempt(rate: float) -> bool:
        return await once(rate) or await once(rate)

    async def once(rate: float) -> bool:
        report = await measure(rate)
        if report.ended_early:
            raise _EndedError
        point = judge(rate, report, limit_s)
        points.append(point)
        told(point)
        return point.holds

    with suppress(_EndedError):
        await _search(attempt, start)
    ordered = sorted(points, key=lambda point: point.rate)
    held = [point.rate for point in ordered if point.holds]
    return Curve(limit_s, max(held, default=None), tuple(ordered))


async def _search(attempt: Callable[[float], Awaitable[bool]], rate: float) -> None:
    held = broke = 0.0
    while not (held and broke):
        if await attempt(rate):
            held, rate = rate, 2 * rate
        elif rate < 2 * LOWEST and not held:
            return
        else:
            broke, rate = rate, rate / 2
    while broke - held > CLOSE * held:
        middle = (held + broke) / 2
        held, broke = (middle, broke) if await attempt(middle) else (held, middle)


def render_curve(curve: Curve) -> str:
    """A line a rate, and the answer."""
    lines = list(_lines(curve.points))
    bound = f"p99 within {curve.limit_s * 1e3:.0f} ms"
    if curve.rate is None:
        return "\n".join([*lines, "", f"No rate that was tried holds {bound}."])
    return "\n".join([*lines, "", f"{bound} up to {curve.rate:.0f} requests a second"])


def tell_point(point: Point) -> str:
    p99 = "-" if point.p99_s is None else f"{point.p99_s * 1e3:.0f} ms"
    verdict = "holds" if point.holds else "too much"
    return f"{point.rate:.0f} requests a second: p99 {p99}, {point.failed} failed, {verdict}"


def _lines(points: Sequence[Point]) -> Iterator[str]:
    heads = ("RATE", "ANSWERED/S", "P50 MS", "P99 MS", "FAILED", "SENDER LATE MS", "HOLDS")
    rows = [
        (
            f"{point.rate:.0f}",
            f"{point.answered_per_s:.1f}",
            _ms(point.p50_s),
            _ms(point.p99_s),
            str(point.failed),
            _ms(point.late_p99_s),
            "yes" if point.holds else "no",
        )
        for point in points
    ]
    widths = [max(len(row[i]) for row in (heads, *rows)) for i in range(len(heads))]
    for row in (heads, *rows):
        yield "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))


def _ms(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1e3:.1f}"
