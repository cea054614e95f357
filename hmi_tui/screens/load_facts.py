"""What there is to say of a load run: in short beside its curves, in full in a window."""

from __future__ import annotations

from collections.abc import Mapping

from hmi_tui import figures
from hmi_tui.load.comparison import FIGURES, settings
from hmi_tui.load.run import LoadRun, State
from hmi_tui.screens.tenant_facts import instant
from hmi_tui.tones import Tone
from hmi_tui.widgets.fact_list import Fact

STATES: Mapping[State, tuple[str, Tone]] = {
    "starting": ("… starting", "muted"),
    "running": ("▶ running", "accent"),
    "ended": ("✓ ended", "good"),
    "stopped": ("■ stopped", "good"),
    "failed": ("✗ failed", "bad"),
}
LATE_S = 0.05
"""Requests that leave later than this say more of the simulator than of the engine."""


def short_facts(run: LoadRun, rate: float | None = None, *, stopping: bool = False) -> list[Fact]:
    """State, rate and counts so far; `rate` is what was asked for last while it runs."""
    words, tone = STATES[run.state]
    if stopping:
        words, tone = "■ stopping: last answers", "warn"
    elif run.state == "running" and run.last is not None:
        end = f" of {figures.seconds(run.request.duration)}" if run.request.duration else ""
        words = f"▶ {figures.seconds(run.last.at_s)}{end}"
    facts: list[Fact] = [("state", words, tone)]
    if run.failure:
        return [*facts, ("why", run.failure, "bad"), ("", "n tries again.")]
    facts.append(("rate", f"{run.request.rate if rate is None else rate:g}/s asked", "strong"))
    if run.begun is not None:
        facts.append(("vPLMs", figures.count(run.begun.vplms)))
        facts.append(("tenants", figures.count(run.begun.tenants)))
    return facts + (_reported(run) if run.report is not None else _under_way(run))


def _under_way(run: LoadRun) -> list[Fact]:
    last = run.last
    if last is None:
        return [("", "The first figures come after a second.")]
    facts: list[Fact] = [
        ("sent", figures.count(last.sent)),
        ("answered", figures.count(last.answered)),
        ("failed", figures.count(last.failed), "bad" if last.failed else "plain"),
        ("waiting", figures.count(last.in_flight)),
    ]
    if last.late_p99_s is not None and last.late_p99_s > LATE_S:
        late = figures.seconds(last.late_p99_s)
        facts.append(("! late", f"sent {late} late: no CPU left to send in time", "warn"))
    return facts


def _reported(run: LoadRun) -> list[Fact]:
    report = run.report
    assert report is not None
    failed = sum(report.errors.values())
    latency = report.latency_s or {}
    facts: list[Fact] = [
        ("sent", f"{figures.count(report.sent)} in {figures.seconds(report.seconds)}"),
        ("answered", f"{figures.rate(report.answered_per_s)}/s"),
        ("failed", figures.count(failed), "bad" if failed else "plain"),
        ("p50", figures.seconds(latency.get("p50"))),
        ("p99", figures.seconds(latency.get("p99"))),
    ]
    if report.goodput is not None:
        facts.append(("in slo", figures.share(report.goodput.share, 1)))
    return facts


def run_facts(run: LoadRun) -> list[Fact]:
    """All that is kept of a run."""
    words, tone = STATES[run.state]
    facts: list[Fact] = [("state", words, tone), ("began", instant(run.started_at))]
    if run.report is not None:
        facts += [(name, show(read(run.report))) for name, read, show, _ in FIGURES]
        facts += [(f"✗ {code}", figures.count(n), "bad") for code, n in run.report.errors.items()]
    return [*facts, *settings(run)]
