"""What a training run found, and how it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from engine.bench.table import number, share, table


@dataclass(frozen=True, slots=True)
class Curve:
    """`points` are (seconds of work, held-out accuracy); `extra_bytes` memory beyond the loaded
    backbone at the peak."""

    points: tuple[tuple[float, float], ...]
    extra_bytes: int

    @property
    def best(self) -> float:
        return max(accuracy for _, accuracy in self.points)

    def reaches(self, accuracy: float) -> float | None:
        """Seconds until it is that good; None if never."""
        return next((at for at, value in self.points if value >= accuracy), None)


@dataclass(frozen=True, slots=True)
class Duel:
    """An adapter and full fine-tuning on one dataset."""

    dataset: str
    rows: int
    adapter: Curve
    full: Curve

    @property
    def target(self) -> float:
        """The accuracy that both reach."""
        return min(self.adapter.best, self.full.best)

    @property
    def time(self) -> float:
        """The adapter's share of full fine-tuning's time to the target."""
        mine, other = self.adapter.reaches(self.target), self.full.reaches(self.target)
        assert mine is not None, "it is the lower of both sides' best"
        assert other, "no step takes no time"
        return mine / other

    @property
    def memory(self) -> float:
        return self.adapter.extra_bytes / self.full.extra_bytes


@dataclass(frozen=True, slots=True)
class Company:
    """The same jobs three ways, in seconds: each in a process of its own, one after the other in
    one process, and in one pass. `apart` is how far accuracies of the pass are from those alone,
    at most, and `weights_apart` how far any weight is."""

    jobs: int
    rows: int
    processes_s: float
    in_turn_s: float
    pass_s: float
    apart: float
    weights_apart: float


def training_results(duels: Sequence[Duel], company: Company | None) -> dict[str, Any]:
    found = [
        asdict(duel) | {"target": duel.target, "time": duel.time, "memory": duel.memory}
        for duel in duels
    ]
    return {"duels": found, "company": None if company is None else asdict(company)}


def render_training(duels: Sequence[Duel], company: Company | None) -> str:
    quality = ("dataset", ">rows", ">adapter", ">full", ">both reach")
    heads = (*quality, ">adapter s", ">full s", ">time", ">adapter MiB", ">full MiB", ">memory")
    lines = [
        (
            duel.dataset,
            f"{duel.rows:,}",
            number(duel.adapter.best, 3),
            number(duel.full.best, 3),
            number(duel.target, 3),
            number(duel.adapter.reaches(duel.target), 1),
            number(duel.full.reaches(duel.target), 1),
            share(duel.time),
            number(duel.adapter.extra_bytes / (1 << 20), 0),
            number(duel.full.extra_bytes / (1 << 20), 0),
            share(duel.memory),
        )
        for duel in duels
    ]
    parts = []
    if duels:
        times, memories = [d.time for d in duels], [d.memory for d in duels]
        parts.append(table(heads, lines))
        parts.append(
            f"median: {share(median(times))} of the time, {share(median(memories))} of the memory"
        )
    if company is not None:
        rows = company.jobs * company.rows
        ways = (
            ("a process each", company.processes_s),
            ("one after the other", company.in_turn_s),
            ("in one pass", company.pass_s),
        )
        compared = [
            (way, number(s, 2), number(rows / s, 0), number(s / company.pass_s)) for way, s in ways
        ]
        head = (f"{company.jobs} jobs of {company.rows} rows", ">seconds", ">rows/s", ">times")
        parts.append(table(head, compared))
        parts.append(
            f"the pass against each alone: accuracies at most {company.apart:.4f} apart, "
            f"weights {company.weights_apart:.1e}"
        )
    return "\n\n".join(parts)
