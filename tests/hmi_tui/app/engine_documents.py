"""Documents of a busy engine; every value can be changed by name."""

from __future__ import annotations

import hashlib
import time
from typing import Any

from engine.client import VERSION
from engine.schema import (
    Adapter,
    BackboneStatus,
    DeviceStatus,
    Domain,
    EngineStatus,
    GeneratorStatus,
    HostStatus,
    Job,
    Point,
    QueueStatus,
    Quota,
    Rates,
    Status,
    Tenant,
    TenantRate,
    TierStatus,
    TrainRequest,
    Vplm,
)

NOW = time.time()
CPU = DeviceStatus(kind="cpu", name="CPU, 2 cores", note="No NVIDIA device; the CPU computes.")


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def domain(name: str, parent: str | None, depth: int, epoch: int = 3, **more: Any) -> Domain:
    values: dict[str, Any] = {
        "name": name,
        "parent": parent,
        "depth": depth,
        "epoch": epoch,
        "entries": 41_238,
        "bytes": 96 << 20,
        "view_entries": 98_112,
        "hits": 812_345,
        "misses": 331_222,
        "hit_rate": 0.71,
        "corpus_bytes": 6 << 20,
        "corpus_lines": 21_300,
        "encoder": "inherited",
        "state": "ready",
        "vplms": 120,
        "created_at": NOW - 7200,
    }
    return Domain.model_validate(values | more)


def vplm(tenant: str, name: str, **more: Any) -> Vplm:
    values: dict[str, Any] = {
        "id": f"{tenant}/{name}",
        "tenant": tenant,
        "name": name,
        "kind": "classifier",
        "domain": "reviews",
        "labels": ["negative", "positive"],
        "mode": "plot",
        "rank": 64,
        "adapter": sha(f"{tenant}/{name}"),
        "version": 1,
        "tier": "disk",
        "pinned": False,
        "stored_bytes": 610_304,
        "dedicated_bytes": 90_900_000,
        "accuracy": None,
        "requests": 0,
        "created_at": NOW - 3600,
    }
    return Vplm.model_validate(values | more)


def job(id: str, subject: str, state: str, **more: Any) -> Job:
    values: dict[str, Any] = {
        "id": id,
        "type": "train",
        "subject": subject,
        "state": state,
        "progress": 1.0 if state == "succeeded" else 0.43,
        "eta_s": 37.0 if state == "running" else None,
        "message": "epoch 2 of 3" if state == "running" else "published version 2",
        "params": {
            **TrainRequest(vplm="acme/polarity", dataset="train", lr=0.001).model_dump(),
            "began_with": sha("before"),
        },
        "loss": [Point(step=n * 10, value=0.7 * 0.985**n) for n in range(60)],
        "accuracy": [Point(step=200, value=0.78), Point(step=400, value=0.84)],
        "error": None,
        "result": {"accuracy": 0.84, "version": 2},
        "created_at": NOW - 300,
        "started_at": NOW - 290,
        "finished_at": NOW - 200 if state not in ("running", "queued") else None,
    }
    return Job.model_validate(values | more)


def a_spare_adapter(name: str) -> Adapter:
    """One that was imported and that nobody uses."""
    return Adapter(
        id=sha(name),
        bytes=512_000,
        rank=64,
        labels=2,
        tier="disk",
        users=[],
        created_by="import",
        created_at=NOW - 60,
        domain="news",
        origin="train-7",
        label_names=["ham", "spam"],
    )


def tier(resident: int, hits: int, misses: int) -> TierStatus:
    return TierStatus(
        resident=resident,
        bytes=resident * 610_304,
        budget_bytes=None,
        hits=hits,
        misses=misses,
        evictions=7,
        bytes_moved=0,
        seconds=0.0,
    )


def tenant(name: str, **more: Any) -> Tenant:
    values: dict[str, Any] = {
        "name": name,
        "weight": 1.0,
        "quota": Quota(),
        "vplms": 10,
        "adapters": 10,
        "stored_bytes": 6_103_040,
        "used_bytes": 6_103_040,
        "dedicated_bytes": 908_000_000,
        "saved_bytes": 901_896_960,
        "created_at": NOW - 7200,
    }
    return Tenant.model_validate(values | more)


def a_decoder(domains: list[Domain]) -> GeneratorStatus:
    """Idle, with what the tree knows for it."""
    return GeneratorStatus(
        backbone=BackboneStatus(
            name="small",
            sha256="ab",
            layers=6,
            split=4,
            hidden=8,
            max_tokens=9,
            dtype="float32",
            parameters=7,
            bytes=1 << 20,
        ),
        fallback=None,
        waiting=0,
        waiting_tokens=0,
        living=0,
        cache_used_bytes=0,
        cache_bytes=4 << 20,
        tokens_per_s=0.0,
        adapters=0,
        domains=domains,
    )


def a_status(tick: int, *, vplms: int, engine: dict[str, Any], **more: Any) -> Status:
    """The status at the `tick`-th asking: its rates go up and down."""
    wave = abs((tick * 7) % 60 - 30)
    known = Status(
        time=NOW,
        engine=EngineStatus(
            version=VERSION,
            pid=4242,
            uptime_s=192.0,
            home="/home/op/hmi",
            socket="/run/hmi/engine.sock",
            ready=True,
            reasons=[],
        ),
        backbone=BackboneStatus(
            name="all-MiniLM-L6-v2",
            sha256=sha("backbone"),
            layers=6,
            split=3,
            hidden=384,
            max_tokens=256,
            dtype="float32",
            parameters=22_700_000,
            bytes=90_868_376,
        ),
        device=CPU,
        host=HostStatus(
            cores=2,
            threads=1,
            cpu=0.62,
            total_bytes=8 << 30,
            used_bytes=3_400_000_000,
            engine_bytes=1_210_000_000,
            engine_cpu=0.4,
            disk_free_bytes=41 << 30,
            by_owner={
                "backbone": 90_868_376,
                "tables": 402_000_000,
                "host cache": 61_000_000,
                "device arena": 268_435_456,
            },
        ),
        tiers={
            "disk": tier(vplms, 0, 0),
            "host": tier(812, 10_311, 812),
            "device": tier(64, 92_100, 11_123),
        },
        queue=QueueStatus(depth=12, tokens=4_310, limit_tokens=200_000),
        rates=Rates(
            window_s=30,
            requests_per_s=150.0 + wave,
            texts_per_s=150.0 + wave,
            tokens_per_s=4_100.0 + 27 * wave,
            errors_per_s=0.0,
            p50_s=0.0081,
            p99_s=0.041 + wave / 1500,
            hit_rate=0.71,
            batch_size=17.3,
            swaps_per_s=3.5,
        ),
        tenants=2,
        vplms=vplms,
        domains=[],
        jobs=[],
        totals={"requests": 91_234, "texts": 91_234, "tokens": 2_100_000, "errors": 3},
        problems=[],
        busiest=[
            TenantRate(tenant="acme", requests_per_s=140.2, p50_s=0.008, p99_s=0.043),
            TenantRate(tenant="globex", requests_per_s=9.8, p50_s=0.007, p99_s=0.031),
        ],
    )
    who = known.engine.model_copy(update=engine)
    return known.model_copy(update={"engine": who, **more})
