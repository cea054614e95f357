"""A client of no engine at all: it remembers what it was told to make, as an engine would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from engine.client import Client, corpus_digest
from engine.schema import (
    CorpusReceipt,
    Created,
    Domain,
    DomainTree,
    JobAccepted,
    Kind,
    Quota,
    RebuildRequest,
    Tenant,
    TenantCreated,
    TenantPage,
    Vplm,
    VplmBulkCreate,
    VplmCreate,
    VplmPage,
)
from tests.hmi_tui.cli.documents import a_domain, a_new_tenant, a_vplm


@dataclass
class Remembering:
    """`calls` names what was asked to change, in order."""

    known_tenants: dict[str, Tenant] = field(default_factory=dict)
    known_domains: dict[str, Domain] = field(default_factory=lambda: {"general": a_domain()})
    known_vplms: dict[str, Vplm] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    rebuilds: dict[str, RebuildRequest] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    @property
    def client(self) -> Client:
        return cast("Client", self)

    def tenants(self, q: str = "", limit: int = 100, cursor: str | None = None) -> TenantPage:
        found = list(self.known_tenants.values())
        return TenantPage(data=found, total=len(found))

    def create_tenant(self, name: str, weight: float, quota: Quota | None) -> TenantCreated:
        self.calls.append(f"create_tenant {name}")
        told = a_new_tenant(name).model_dump() | {"weight": weight, "quota": quota or Quota()}
        self.known_tenants[name] = Tenant.model_validate(told)
        return TenantCreated.model_validate(told | {"api_key": "hmi-secret"})

    def change_tenant(self, name: str, weight: float | None, quota: Quota | None) -> Tenant:
        self.calls.append(f"change_tenant {name}")
        changes = {"weight": weight, "quota": quota}
        given = {key: value for key, value in changes.items() if value is not None}
        self.known_tenants[name] = self.known_tenants[name].model_copy(update=given)
        return self.known_tenants[name]

    def domains(self) -> DomainTree:
        return DomainTree(data=list(self.known_domains.values()))

    def domain(self, name: str, kind: Kind) -> Domain:
        built = self.rebuilds.get(name)
        there = built is not None and built.kind == kind
        return self.known_domains[name].model_copy(update={"epoch": int(there), "kind": kind})

    def create_domain(self, name: str, parent: str) -> Domain:
        assert parent in self.known_domains
        self.calls.append(f"create_domain {name}")
        fresh = {"epoch": 0, "corpus_bytes": 0, "state": "empty"}
        self.known_domains[name] = a_domain(name, parent).model_copy(update=fresh)
        return self.known_domains[name]

    def change_domain(self, name: str, parent: str) -> Domain:
        self.calls.append(f"change_domain {name}")
        self._change_domain(name, parent=parent)
        return self.known_domains[name]

    def put_corpus(self, name: str, data: Sequence[Path]) -> CorpusReceipt:
        self.calls.append(f"put_corpus {name}")
        size, self.texts[name] = corpus_digest(data)
        self._change_domain(name, corpus_bytes=size)
        return self.corpus(name)

    def corpus(self, name: str) -> CorpusReceipt:
        size = self.known_domains[name].corpus_bytes
        return CorpusReceipt(domain=name, lines=1, bytes=size, sha256=self.texts[name])

    def rebuild_domain(self, name: str, request: RebuildRequest) -> JobAccepted:
        self.calls.append(f"rebuild_domain {name}")
        self.rebuilds[name] = request
        self._change_domain(name, epoch=self.known_domains[name].epoch + 1, state="ready")
        return JobAccepted(id=f"job-{name}")

    def vplms(
        self, q: str = "", tenant: str | None = None, limit: int = 100, cursor: str | None = None
    ) -> VplmPage:
        found = [v for v in self.known_vplms.values() if q in v.id and v.tenant == tenant]
        return VplmPage(data=found, total=len(found))

    def create_vplm(self, request: VplmCreate) -> Created:
        made = f"{request.tenant}/{request.name}"
        self.calls.append(f"create_vplm {made}")
        self._add(made, request)
        return Created(**self.known_vplms[made].model_dump())

    def create_vplms(self, request: VplmBulkCreate) -> list[str]:
        numbers = range(request.first, request.first + request.count)
        ids = [f"{request.tenant}/{request.name}-{i:05d}" for i in numbers]
        self.calls.append(f"create_vplms {ids[0]} {len(ids)}")
        for made in ids:
            self._add(made, request)
        return ids

    def change_vplm(self, id: str, **changes: Any) -> Vplm:
        self.calls.append(f"change_vplm {id}")
        given = {{"pin": "pinned"}.get(key, key): value for key, value in changes.items()}
        self.known_vplms[id] = self.known_vplms[id].model_copy(update=given)
        return self.known_vplms[id]

    def _add(self, id: str, request: VplmCreate | VplmBulkCreate) -> None:
        assert id not in self.known_vplms
        self.known_vplms[id] = a_vplm(
            id,
            labels=request.labels,
            domain=request.domain or "general",
            mode=request.mode or "plot",
            rank=request.rank,
            places=request.places,
            backbone=f"{request.backbone or 'own'}:1",
        )

    def _change_domain(self, name: str, **changes: Any) -> None:
        self.known_domains[name] = self.known_domains[name].model_copy(update=changes)
