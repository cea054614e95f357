"""An engine in memory: answers the client's calls with the API's documents and remembers them.

A file a resource, as in engine._client.calls: its rows, and the calls answered with them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

from engine.client import VERSION, AsyncClient, Unavailable
from engine.schema import DeviceStatus, Problem, QueueStatus, Status, Version
from tests.hmi_tui.app.engine_documents import CPU, a_decoder, a_status
from tests.hmi_tui.app.scripted_engine.adapters import AdapterAnswers
from tests.hmi_tui.app.scripted_engine.backbones import BackboneAnswers
from tests.hmi_tui.app.scripted_engine.datasets import DatasetAnswers
from tests.hmi_tui.app.scripted_engine.domains import DomainAnswers
from tests.hmi_tui.app.scripted_engine.inference import InferenceAnswers
from tests.hmi_tui.app.scripted_engine.jobs import JobAnswers
from tests.hmi_tui.app.scripted_engine.starters import StarterAnswers
from tests.hmi_tui.app.scripted_engine.tenants import TenantAnswers
from tests.hmi_tui.app.scripted_engine.trace import TraceAnswers
from tests.hmi_tui.app.scripted_engine.versions import VersionAnswers
from tests.hmi_tui.app.scripted_engine.vplms import VplmAnswers


# A part that another one is made from comes after it: Python's order of bases.
@dataclass
class ScriptedEngine(
    TenantAnswers,
    VersionAnswers,
    AdapterAnswers,
    BackboneAnswers,
    InferenceAnswers,
    VplmAnswers,
    DomainAnswers,
    DatasetAnswers,
    JobAnswers,
    TraceAnswers,
    StarterAnswers,
):
    """State in plain lists; `down` makes every call fail as if nobody listened."""

    pid: int = 4242
    version_name: str = VERSION
    device: DeviceStatus = CPU
    queue: QueueStatus | None = None
    problems: list[Problem] = field(default_factory=list)
    ready: bool = True
    reasons: list[str] = field(default_factory=list)
    unreadable: bool = False
    statuses: int = 0

    @property
    def client(self) -> AsyncClient:
        return cast("AsyncClient", self)

    async def close(self) -> None:
        return None

    async def stop(self) -> None:
        self._answer("stop")
        self.down = True

    async def version(self) -> Version:
        self._answer()
        return Version(version=self.version_name)

    async def status(self) -> Status:
        self._answer()
        if self.unreadable:
            raise Unavailable("The answer cannot be read.", code="unreadable_answer")
        self.statuses += 1
        return a_status(
            self.statuses,
            engine={
                "pid": self.pid,
                "version": self.version_name,
                "ready": self.ready,
                "reasons": self.reasons,
            },
            **({} if self.queue is None else {"queue": self.queue}),
            device=self.device,
            tenants=len(self.tenant_rows),
            vplms=len(self.vplm_rows),
            domains=self.domain_rows,
            generators=None if self.generator_rows is None else a_decoder(self.generator_rows),
            jobs=[one for one in self.job_rows if not one.ended],
            problems=self.problems,
            backbones=self.loaded,
        )
