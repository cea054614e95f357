"""A run in numbers: throughput, percentiles, stage means, errors, spread over tenants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.load.ledger import STAGES, Ledger

PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p99_9": 99.9}


@dataclass(frozen=True, slots=True)
class Spread:
    """How a number differs between tenants."""

    least: float
    median: float
    most: float


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
    latency_s: dict[str, float] | None
    mean_latency_s: float | None
    stage_mean_s: dict[str, float] | None
    hit_rate: float | None
    batch_size: float | None
    tiers: dict[str, int]
    tenant_p99_s: Spread | None
    tenant_answers: Spread | None
    sender_late_p99_s: float | None
    """How late requests left; large means that this process, not the engine, was short of CPU."""

    def document(self) -> dict[str, Any]:
        return asdict(self)


def summarise(ledger: Ledger, models: Sequence[str], sending: float) -> Report:
    """The report of a run that sent for `sending` seconds to `models` (ids `tenant/name`)."""
    seconds = max(sending, ledger.last_at)
    latency = np.asarray(ledger.latency)
    tenants = sorted({model.partition("/")[0] for model in models})
    p99, answers = _by_tenant(ledger, models, tenants)
    some = latency.size > 0
    late = np.asarray(ledger.lateness)
    return Report(
        seconds=seconds,
        vplms=len(models),
        tenants=len(tenants),
        sent=ledger.sent,
        answered=ledger.answered,
        errors=dict(ledger.errors.most_common()),
        offered_per_s=ledger.sent / sending if sending > 0 else 0.0,
        answered_per_s=ledger.answered / seconds if seconds > 0 else 0.0,
        latency_s=_percentiles(latency) if some else None,
        mean_latency_s=float(latency.mean()) if some else None,
        stage_mean_s={s: float(np.mean(ledger.stages[s])) for s in STAGES} if some else None,
        hit_rate=_mean_known(np.asarray(ledger.hit_rate)),
        batch_size=float(np.mean(ledger.batch)) if some else None,
        tiers=dict(ledger.tiers.most_common()),
        tenant_p99_s=p99,
        tenant_answers=answers,
        sender_late_p99_s=float(np.percentile(late, 99)) if late.size else None,
    )


def _percentiles(values: npt.NDArray[np.float64]) -> dict[str, float]:
    found = np.percentile(values, list(PERCENTILES.values()))
    return {name: float(value) for name, value in zip(PERCENTILES, found, strict=True)}


def _mean_known(values: npt.NDArray[np.float64]) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else None


def _by_tenant(
    ledger: Ledger, models: Sequence[str], tenants: Sequence[str]
) -> tuple[Spread | None, Spread | None]:
    if not ledger.answered:
        return None, None
    place: Mapping[str, int] = {name: index for index, name in enumerate(tenants)}
    of_model = np.asarray([place[model.partition("/")[0]] for model in models])
    owner = of_model[np.asarray(ledger.model)]
    latency = np.asarray(ledger.latency)
    order = np.argsort(owner, kind="stable")
    counts = np.bincount(owner, minlength=len(tenants))
    groups = np.split(latency[order], np.cumsum(counts)[:-1])
    p99 = [float(np.percentile(group, 99)) for group in groups if group.size]
    return _spread(p99), _spread([float(count) for count in counts])


def _spread(values: Sequence[float]) -> Spread:
    return Spread(float(min(values)), float(np.median(values)), float(max(values)))
