"""What the appliance answers about itself: its status."""

from __future__ import annotations

from engine.schema import DeviceStatus, EngineStatus, HostStatus, QueueStatus, Status, TierStatus
from engine.telemetry.metrics import Metrics
from tests.engine.api.scripted.domains import DOMAIN
from tests.engine.api.scripted.script import Script

STATUS = Status(
    time=1.0,
    engine=EngineStatus(
        version="0", pid=1, uptime_s=1.0, home="h", socket="s", ready=True, reasons=[]
    ),
    backbone=None,
    device=DeviceStatus(kind="cpu", name="cpu", note="no NVIDIA device"),
    host=HostStatus(
        cores=2,
        threads=1,
        cpu=0.0,
        total_bytes=1,
        used_bytes=1,
        engine_bytes=1,
        engine_cpu=0.0,
        disk_free_bytes=1,
        by_owner={},
    ),
    tiers={
        "host": TierStatus(
            resident=3,
            bytes=30,
            budget_bytes=100,
            hits=2,
            misses=1,
            evictions=0,
            bytes_moved=5,
            seconds=0.1,
        )
    },
    queue=QueueStatus(depth=7, tokens=70, limit_tokens=1000),
    rates=Metrics().rates(),
    tenants=1,
    vplms=1,
    domains=[DOMAIN],
    jobs=[],
    totals={},
    problems=[],
)


class EngineAnswers(Script):
    def status(self) -> Status:
        self._do("status")
        return STATUS
