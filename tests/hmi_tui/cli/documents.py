"""Answers of an engine, small and fixed."""

from __future__ import annotations

from typing import Any

from engine.schema import (
    Adapter,
    ClassifyResponse,
    DeviceStatus,
    Domain,
    EngineStatus,
    HostStatus,
    Job,
    Point,
    Prediction,
    QueueStatus,
    Quota,
    Rates,
    Status,
    Tenant,
    TenantCreated,
    TierStatus,
    Timing,
    Usage,
    Vplm,
)

ADAPTER_ID = "ab" * 32


def a_tenant(name: str = "acme", **changes: Any) -> Tenant:
    quota = changes.pop("quota", Quota())
    known = {"weight": 1.0, "vplms": 3, "stored_bytes": 2048, "created_at": 1.7e9}
    return Tenant(name=name, quota=quota, **{**known, **changes})


def a_new_tenant(name: str = "acme") -> TenantCreated:
    return TenantCreated(**a_tenant(name, vplms=0).model_dump(), api_key="hmi_secret")


def a_domain(name: str = "general", parent: str | None = None, **changes: Any) -> Domain:
    known: dict[str, Any] = {
        "depth": 0 if parent is None else 1,
        "epoch": 2,
        "entries": 100,
        "bytes": 1 << 20,
        "view_entries": 150,
        "hits": 7,
        "misses": 3,
        "hit_rate": 0.7,
        "corpus_bytes": 10,
        "corpus_lines": 1,
        "encoder": "inherited",
        "state": "ready",
        "vplms": 0,
        "created_at": 1.7e9,
    }
    return Domain(name=name, parent=parent, **{**known, **changes})


def a_vplm(id: str = "acme/polarity", **changes: Any) -> Vplm:
    tenant, _, name = id.partition("/")
    known: dict[str, Any] = {
        "kind": "classifier",
        "domain": "general",
        "labels": ["no", "yes"],
        "mode": "plot",
        "rank": 64,
        "adapter": ADAPTER_ID,
        "version": 1,
        "tier": "disk",
        "pinned": False,
        "stored_bytes": 1000,
        "dedicated_bytes": 100_000,
        "accuracy": None,
        "requests": 0,
        "created_at": 1.7e9,
    }
    return Vplm(id=id, tenant=tenant, name=name, **{**known, **changes})


def an_adapter(**changes: Any) -> Adapter:
    known: dict[str, Any] = {
        "id": ADAPTER_ID,
        "bytes": 1000,
        "rank": 64,
        "labels": 2,
        "tier": "disk",
        "users": ["acme/polarity"],
        "created_by": "random",
        "created_at": 1.7e9,
    }
    return Adapter(**{**known, **changes})


def a_job(state: str = "succeeded", progress: float = 1.0, **changes: Any) -> Job:
    known: dict[str, Any] = {
        "id": "j1",
        "type": "train",
        "subject": "acme/polarity",
        "eta_s": None,
        "message": "",
        "params": {},
        "loss": [Point(step=10, value=0.5)],
        "accuracy": [Point(step=10, value=0.875)],
        "error": None,
        "result": {},
        "created_at": 1.7e9,
        "started_at": 1.7e9,
        "finished_at": 1.7e9 + 5,
    }
    return Job(**{**known, "state": state, "progress": progress, **changes})


def an_answer(
    model: str, texts: list[str], labels: tuple[str, ...] = ("no", "yes")
) -> dict[str, Any]:
    """Every text gets the last label."""
    probs = [0.1, *[0.0] * (len(labels) - 2), 0.9]
    answer = ClassifyResponse(
        id="c1",
        created=1,
        model=model,
        data=[
            Prediction(index=i, label=labels[-1], probs=probs, num_classes=len(labels))
            for i in range(len(texts))
        ],
        labels=list(labels),
        usage=Usage(prompt_tokens=5),
        timing=a_timing(),
    )
    return answer.model_dump(mode="json")


def a_timing(**changes: Any) -> Timing:
    known: dict[str, Any] = {
        "queue_s": 0.001,
        "retrieve_s": 0.002,
        "load_s": 0.003,
        "compute_s": 0.004,
        "hit_rate": 0.5,
        "batch_size": 4,
        "tier": "host",
        "mode": "plot",
    }
    return Timing(**{**known, **changes})


def a_status(pid: int = 4242) -> Status:
    tier = TierStatus(
        resident=2,
        bytes=2000,
        budget_bytes=None,
        hits=1,
        misses=1,
        evictions=0,
        bytes_moved=0,
        seconds=0.0,
    )
    return Status(
        time=1.7e9,
        engine=EngineStatus(
            version="0.1.0",
            pid=pid,
            uptime_s=5,
            home="h",
            socket="s",
            ready=True,
            reasons=[],
        ),
        backbone=None,
        device=DeviceStatus(kind="cpu", name="a CPU", note="no NVIDIA device"),
        host=HostStatus(
            cores=2,
            threads=2,
            cpu=0.1,
            total_bytes=1 << 33,
            used_bytes=1 << 32,
            engine_bytes=1 << 28,
            disk_free_bytes=1 << 34,
            engine_cpu=0.2,
            by_owner={"backbone": 90 << 20},
        ),
        tiers={"disk": tier, "host": tier, "device": tier},
        queue=QueueStatus(depth=0, tokens=0, limit_tokens=1000),
        rates=Rates(
            window_s=30,
            requests_per_s=1.5,
            texts_per_s=2,
            tokens_per_s=30,
            errors_per_s=0,
            p50_s=0.01,
            p99_s=0.02,
            hit_rate=0.4,
            batch_size=2,
        ),
        tenants=1,
        vplms=3,
        domains=[a_domain(), a_domain("support", "general")],
        jobs=[a_job("running", 0.5)],
        totals={},
        problems=[],
    )
