"""Two runs' figures beside each other, with their ratio."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from engine.schema import LoadReport, Tier
from hmi_tui import figures
from hmi_tui.load.run import LoadRun
from hmi_tui.tones import Tone
from hmi_tui.widgets.columns import Cell, Column

ALIKE = 0.05
"""A ratio nearer to 1 than this is called alike: it is within one run's scatter."""

Wanted = Literal["more", "less", ""]
Read = Callable[[LoadReport], float | None]
Show = Callable[[float | None], str]


@dataclass(frozen=True, slots=True)
class CompareRow:
    name: str
    first: str
    second: str
    ratio: float | None = None
    """The second run's figure by the first's."""
    wanted: Wanted = ""

    @property
    def verdict(self) -> Cell:
        if self.ratio is None or not self.wanted:
            return "", "muted"
        if abs(self.ratio - 1) < ALIKE:
            return "alike", "muted"
        better = (self.ratio > 1) == (self.wanted == "more")
        tone: Tone = "good" if better else "bad"
        return ("better" if better else "worse"), tone


def _share(fraction: float | None) -> str:
    return figures.share(fraction, 1)


def _latency(name: str) -> Read:
    return lambda report: report.latency_s.get(name) if report.latency_s else None


def answered_from(report: LoadReport, tier: Tier) -> float | None:
    """The share of answers whose adapter was in this tier when the request was accepted."""
    total = sum(report.tiers.values())
    return report.tiers.get(tier, 0) / total if total else None


FIGURES: tuple[tuple[str, Read, Show, Wanted], ...] = (
    ("offered/s", lambda r: r.offered_per_s, figures.rate, ""),
    ("answered/s", lambda r: r.answered_per_s, figures.rate, "more"),
    ("failed", lambda r: sum(r.errors.values()) / r.sent if r.sent else None, _share, "less"),
    ("within slo", lambda r: r.goodput.share if r.goodput else None, _share, "more"),
    ("p50", _latency("p50"), figures.seconds, "less"),
    ("p90", _latency("p90"), figures.seconds, "less"),
    ("p99", _latency("p99"), figures.seconds, "less"),
    ("p99.9", _latency("p99_9"), figures.seconds, "less"),
    ("mean", lambda r: r.mean_latency_s, figures.seconds, "less"),
    ("table hits", lambda r: r.hit_rate, _share, "more"),
    ("on device", lambda r: answered_from(r, "device"), _share, "more"),
    ("on host", lambda r: answered_from(r, "host"), _share, ""),
    ("on disk", lambda r: answered_from(r, "disk"), _share, "less"),
    ("mean batch", lambda r: r.batch_size, figures.rate, ""),
    ("sent late p99", lambda r: r.sender_late_p99_s, figures.seconds, ""),
    ("seconds", lambda r: r.seconds, figures.seconds, ""),
    ("vPLMs asked", lambda r: r.vplms, figures.count, ""),
)

COMPARED: tuple[Column[CompareRow], ...] = (
    Column("figure", lambda row: row.name, 13, grow=1),
    Column("first", lambda row: row.first, 16, "right", grow=1),
    Column("second", lambda row: row.second, 16, "right", grow=1),
    Column("ratio", lambda row: f"×{row.ratio:.2f}" if row.ratio is not None else "", 8, "right"),  # noqa: RUF001
    Column("", lambda row: row.verdict, 6),
)


def compare(first: LoadRun, second: LoadRun) -> list[CompareRow]:
    """A row a figure, then a row a setting; both runs have reports."""
    assert first.report is not None
    assert second.report is not None
    rows = []
    for name, read, show, wanted in FIGURES:
        one, other = read(first.report), read(second.report)
        ratio = other / one if one and other is not None else None
        rows.append(CompareRow(name, show(one), show(other), ratio, wanted))
    asked = zip(settings(first), settings(second), strict=True)
    rows += [CompareRow(name, one, other) for (name, one), (_, other) in asked]
    return rows


def settings(run: LoadRun) -> Iterator[tuple[str, str]]:
    """What was asked for, in words."""
    request = run.request
    changed = any(sample.rate != request.rate for sample in run.samples)
    yield "rate asked", f"{request.rate:g}/s" + (", changed" if changed else "")
    yield "duration", figures.seconds(request.duration) if request.duration else "until stopped"
    yield "tenants", "all" if request.tenants is None else f"first {request.tenants}"
    zipf = request.popularity == "zipf"
    yield "popularity", f"zipf {request.zipf_s:g}" if zipf else "uniform"
    gamma = request.arrivals == "gamma"
    yield "arrivals", f"gamma, cv {request.cv:g}" if gamma else "poisson"
    yield "texts", (request.text or "the demo's").rpartition("/")[2]
    yield "slo", "none" if request.slo_ms is None else f"{request.slo_ms:g} ms"
    yield "seed", str(request.seed)
