"""The report as a table for people."""

from __future__ import annotations

from collections.abc import Iterator

from engine.load.report import Part, Report, Spread


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
    if report.goodput is not None:
        good = report.goodput
        yield f"within {_ms(good.slo_s)}", f"{good.share:.2%} ({good.per_s:.1f} a second)"
    if report.latency_s is not None:
        for name, value in report.latency_s.items():
            yield f"latency {name.replace('_', '.')}", _ms(value)
    if report.stage_s is not None:
        for name, found in report.stage_s.items():
            yield name, ", ".join(f"{p.replace('_', '.')} {_ms(v)}" for p, v in found.items())
    if report.hit_rate is not None:
        yield "table hit rate", f"{report.hit_rate:.1%}"
    if report.batch_size is not None:
        yield "mean batch", f"{report.batch_size:.1f} texts"
    yield from _tiers(report)
    yield from _tenants(report)
    if report.sender_late_p99_s is not None:
        yield "sender late p99", _ms(report.sender_late_p99_s)
    if report.sent:
        yield "sender CPU", f"{report.sender_cpu_s / report.sent * 1e3:.2f} s for 1,000 requests"


def _tiers(report: Report) -> Iterator[tuple[str, str]]:
    if report.tiers:
        total = sum(report.tiers.values())
        shares = (f"{tier} {count} ({count / total:.0%})" for tier, count in report.tiers.items())
        yield "adapter was on", ", ".join(shares)
    for tier, turn in report.tier_use.items():
        if turn.hit_rate is not None:
            hits = f"{turn.hit_rate:.1%} hits of {turn.hits + turn.misses}"
            moved = f"{turn.bytes_moved / (1 << 20):.0f} MiB moved in"
            yield f"{tier} tier", f"{hits}, {moved}, {turn.resident} resident"


def _tenants(report: Report) -> Iterator[tuple[str, str]]:
    if report.tenant_p99_s is not None:
        yield "p99 by tenant", _ms_spread(report.tenant_p99_s)
    if report.tenant_answers is not None:
        spread = report.tenant_answers
        yield "answers by tenant", f"{spread.least:.0f} to {spread.most:.0f}"
    if report.fairness is not None:
        fair = report.fairness
        yield "Jain index", f"{fair.answers:.4f} of answers, {fair.tokens:.4f} of tokens"
    for name, part in (("hot tenant", report.hot), ("the others", report.others)):
        if part is not None:
            yield name, _part(part)


def _part(part: Part) -> str:
    told = f"{part.answered} of {part.sent} answered ({part.answered_per_s:.1f} a second)"
    if part.latency_s is not None:
        told += f", p50 {_ms(part.latency_s['p50'])}, p99 {_ms(part.latency_s['p99'])}"
    return f"{told}, {part.failed} failed"


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.1f} ms"


def _ms_spread(spread: Spread) -> str:
    return f"{_ms(spread.least)} to {_ms(spread.most)}, median {_ms(spread.median)}"
