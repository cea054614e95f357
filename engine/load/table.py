"""The report as a table for people."""

from __future__ import annotations

from collections.abc import Iterator

from engine.load.report import Report, Spread


def render(report: Report) -> str:
    """Two columns, a line a number; times in milliseconds."""
    rows = list(_rows(report))
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)


def _rows(report: Report) -> Iterator[tuple[str, str]]:
    yield "seconds", f"{report.seconds:.1f}"
    yield "vPLMs asked", f"{report.vplms} of {report.tenants} tenants"
    yield "requests sent", f"{report.sent} ({report.offered_per_s:.1f} a second)"
    yield "answered", f"{report.answered} ({report.answered_per_s:.1f} a second)"
    yield "errors", _counts(report.errors) or "none"
    if report.latency_s is not None:
        for name, value in report.latency_s.items():
            yield f"latency {name.replace('_', '.')}", _ms(value)
    if report.stage_mean_s is not None:
        for name, value in report.stage_mean_s.items():
            yield f"mean {name}", _ms(value)
    if report.hit_rate is not None:
        yield "table hit rate", f"{report.hit_rate:.1%}"
    if report.batch_size is not None:
        yield "mean batch", f"{report.batch_size:.1f} texts"
    if report.tiers:
        yield "adapter was on", _counts(report.tiers)
    if report.tenant_p99_s is not None:
        yield "p99 by tenant", _ms_spread(report.tenant_p99_s)
    if report.tenant_answers is not None:
        spread = report.tenant_answers
        yield "answers by tenant", f"{spread.least:.0f} to {spread.most:.0f}"
    if report.sender_late_p99_s is not None:
        yield "sender late p99", _ms(report.sender_late_p99_s)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.1f} ms"


def _ms_spread(spread: Spread) -> str:
    return f"{_ms(spread.least)} to {_ms(spread.most)}, median {_ms(spread.median)}"
