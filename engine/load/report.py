"""A run in numbers: throughput, goodput, percentiles by stage, errors, spread over tenants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.load.ledger import STAGES, Ledger
from engine.load.plan import tenant_of
from engine.load.tiers import TierTurn

PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p99_9": 99.9}
OUTSIDE = "outside"
"""What a request took beyond the engine's stages: HTTP, tokenising, and this process."""
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Spread:
    """How a number differs between tenants."""

    least: float
    median: float
    most: float


@dataclass(frozen=True, slots=True)
class Goodput:
    """Answers within `slo_s` of the instant due: their share of all that was sent, and a second."""

    slo_s: float
    share: float
    per_s: float


@dataclass(frozen=True, slots=True)
class Fairness:
    """Jain's index over tenants, 1 if all got alike, of answers and of answered tokens."""

    answers: float
    tokens: float


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the tenants by themselves."""

    tenants: int
    sent: int
    answered: int
    failed: int
    answered_per_s: float
    latency_s: dict[str, float] | None


@dataclass(frozen=True, slots=True)
class Asked:
    """What a run was about: ids `tenant/name`, the bound on latency and the hot tenant, if any."""

    models: Sequence[str]
    slo_s: float | None = None
    hot: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """Seconds and requests a second; a value is None where nothing was answered."""

    seconds: float
    vplms: int
    tenants: int
    sent: int
    answered: int
    errors: dict[str, int]
    offered_per_s: float
    answered_per_s: float
    goodput: Goodput | None
    latency_s: dict[str, float] | None
    mean_latency_s: float | None
    stage_s: dict[str, dict[str, float]] | None
    """Percentiles by stage, and of what lies outside them all."""
    stage_mean_s: dict[str, float] | None
    hit_rate: float | None
    batch_size: float | None
    tiers: dict[str, int]
    """Answers by where their adapter was when the request was accepted."""
    tier_use: dict[str, TierTurn]
    tenant_p99_s: Spread | None
    tenant_answers: Spread | None
    fairness: Fairness | None
    hot: Part | None
    others: Part | None
    """With a hot tenant: it, and all the rest."""
    sender_late_p99_s: float | None
    """How late requests left; large means that this process, not the engine, was short of CPU."""
    sender_cpu_s: float
    """What this process took, which the engine could not have."""
    ended_early: bool
    """Whether it was stopped before its time."""

    def document(self) -> dict[str, Any]:
        return asdict(self)


def summarise(
    ledger: Ledger,
    asked: Asked,
    sending: float,
    cpu: float = 0.0,
    turns: Mapping[str, TierTurn] | None = None,
    *,
    ended_early: bool = False,
) -> Report:
    """The report of a run that sent for `sending` seconds and took `cpu` seconds to do it.

    `turns` says what the engine's tiers did meanwhile.
    """
    seconds = max(sending, ledger.last_at)
    latency = np.asarray(ledger.latency)
    owners = _Owners(asked.models)
    some = latency.size > 0
    stages = _stages(ledger, latency)
    late = np.asarray(ledger.lateness)
    answers = owners.totals(ledger.model)
    hot, others = _parts(ledger, owners, asked.hot, seconds)
    return Report(
        seconds=seconds,
        vplms=len(asked.models),
        tenants=len(owners.tenants),
        sent=ledger.sent,
        answered=ledger.answered,
        errors=dict(ledger.errors.most_common()),
        offered_per_s=ledger.sent / sending if sending > 0 else 0.0,
        answered_per_s=ledger.answered / seconds if seconds > 0 else 0.0,
        goodput=_goodput(ledger, latency, asked.slo_s, seconds),
        latency_s=_percentiles(latency) if some else None,
        mean_latency_s=float(latency.mean()) if some else None,
        stage_s={name: _percentiles(of) for name, of in stages.items()} if some else None,
        stage_mean_s={name: float(of.mean()) for name, of in stages.items()} if some else None,
        hit_rate=_mean_known(np.asarray(ledger.hit_rate)),
        batch_size=float(np.mean(ledger.batch)) if some else None,
        tiers=dict(ledger.tiers.most_common()),
        tier_use=dict(turns or {}),
        tenant_p99_s=owners.p99(ledger.model, latency) if some else None,
        tenant_answers=_spread(answers) if some else None,
        fairness=_fairness(answers, owners.totals(ledger.model, ledger.tokens)) if some else None,
        hot=hot,
        others=others,
        sender_late_p99_s=float(np.percentile(late, 99)) if late.size else None,
        sender_cpu_s=cpu,
        ended_early=ended_early,
    )


class _Owners:
    """Whose each vPLM is."""

    def __init__(self, models: Sequence[str]) -> None:
        self.tenants = sorted({tenant_of(model) for model in models})
        place = {name: index for index, name in enumerate(self.tenants)}
        self._of = np.asarray([place[tenant_of(model)] for model in models], dtype=np.int64)

    def of(self, rows: Sequence[int]) -> npt.NDArray[np.int64]:
        """The tenant of each of `rows`, which are indices of vPLMs."""
        return self._of[np.asarray(rows, dtype=np.int64)]

    def totals(self, rows: Sequence[int], weights: Sequence[int] | None = None) -> Floats:
        """By tenant: how many of `rows` are its, or what they weigh together."""
        given = None if weights is None else np.asarray(weights, dtype=np.float64)
        found = np.bincount(self.of(rows), weights=given, minlength=len(self.tenants))
        return found.astype(np.float64)

    def p99(self, rows: Sequence[int], latency: Floats) -> Spread:
        owner = self.of(rows)
        counts = np.bincount(owner, minlength=len(self.tenants))
        ordered = latency[np.argsort(owner, kind="stable")]
        groups = np.split(ordered, np.cumsum(counts)[:-1])
        return _spread(np.array([np.percentile(group, 99) for group in groups if group.size]))


def _stages(ledger: Ledger, latency: Floats) -> dict[str, Floats]:
    stages = {name: np.asarray(ledger.stages[name]) for name in STAGES}
    return {**stages, OUTSIDE: latency - np.sum(list(stages.values()), axis=0)}


def _goodput(
    ledger: Ledger, latency: Floats, slo_s: float | None, seconds: float
) -> Goodput | None:
    if slo_s is None or not ledger.sent:
        return None
    good = int((latency <= slo_s).sum())
    return Goodput(slo_s, good / ledger.sent, good / seconds if seconds > 0 else 0.0)


def _parts(
    ledger: Ledger, owners: _Owners, hot: str | None, seconds: float
) -> tuple[Part | None, Part | None]:
    if hot is None or hot not in owners.tenants:
        return None, None
    at = owners.tenants.index(hot)
    sent, answered = owners.of(ledger.sent_to) == at, owners.of(ledger.model) == at
    failed, latency = owners.of(ledger.failed_to) == at, np.asarray(ledger.latency)

    def part(tenants: int, ours: bool) -> Part:
        found = latency[answered == ours]
        return Part(
            tenants,
            int((sent == ours).sum()),
            len(found),
            int((failed == ours).sum()),
            len(found) / seconds if seconds > 0 else 0.0,
            _percentiles(found) if found.size else None,
        )

    return part(1, True), part(len(owners.tenants) - 1, False)


def _fairness(answers: Floats, tokens: Floats) -> Fairness:
    return Fairness(jain(answers), jain(tokens))


def jain(shares: Floats) -> float:
    """Jain, Chiu and Hawe's index of fairness (1984): from 1/n, one has all, to 1, all alike."""
    squares = float((shares**2).sum())
    return float(shares.sum()) ** 2 / (len(shares) * squares) if squares > 0 else 1.0


def _percentiles(values: Floats) -> dict[str, float]:
    found = np.percentile(values, list(PERCENTILES.values()))
    return {name: float(value) for name, value in zip(PERCENTILES, found, strict=True)}


def _mean_known(values: Floats) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else None


def _spread(values: Floats) -> Spread:
    return Spread(float(values.min()), float(np.median(values)), float(values.max()))
