"""The one document that says how the engine is."""

from __future__ import annotations

import os
import time

import torch

from engine import __version__
from engine.appliance.core import Core
from engine.appliance.domains import DomainCalls
from engine.appliance.in_use import BUSIEST, queue_of, tiers_of
from engine.appliance.made_for import name_of
from engine.appliance.memory import device_memory_of, memory_of, owners_of
from engine.appliance.serving_stack import ServingStack
from engine.appliance.stack import Stack
from engine.appliance.training import TrainingCalls
from engine.knowledge.retrieve import Damage
from engine.knowledge.tree import ROOT
from engine.model.backbone import Backbone
from engine.schema import (
    BackboneStatus,
    DeviceStatus,
    EngineStatus,
    GeneratorStatus,
    Job,
    LoadedBackbone,
    Problem,
    Status,
    TenantRate,
)

_LOW_DISK = 1 << 30


class StatusCalls(DomainCalls, TrainingCalls):
    def status(self) -> Status:
        core = self._core
        settings = core.settings
        host = core.host.sample(memory_of(core), core.threads.total, settings.paths.data)
        jobs = self._live_jobs()
        return Status(
            time=time.time(),
            engine=EngineStatus(
                version=__version__,
                pid=os.getpid(),
                uptime_s=time.time() - core.started_at,
                home=str(settings.paths.data.parent),
                socket=str(settings.paths.socket),
                listen=settings.listen,
                tls_cert=None if settings.tls_cert is None else str(settings.tls_cert.absolute()),
                tls_key=None if settings.tls_key is None else str(settings.tls_key.absolute()),
                ready=True,
                reasons=[],
            ),
            backbone=_backbone(core.backbone),
            backbones=loaded_of(core),
            generators=self._generators(),
            device=_device(core),
            host=host,
            tiers=tiers_of(core),
            queue=queue_of(core),
            rates=core.metrics.rates(),
            tenants=core.catalogue.tenants.count(),
            vplms=core.catalogue.vplms.count(),
            domains=self.domains().data,
            jobs=jobs,
            totals=dict(core.totals),
            problems=self._problems(host.disk_free_bytes),
            busiest=busiest_of(core),
        )

    def _generators(self) -> GeneratorStatus | None:
        generators = self._core.generators
        if generators is None:
            return None
        use, damage = generators.generator.use(), generators.stack.tree.take(ROOT).damage
        return GeneratorStatus(
            backbone=_backbone(generators.decoder),
            fallback=None if damage is None else damage.detail,
            waiting=use.waiting,
            waiting_tokens=use.waiting_tokens,
            living=use.living,
            cache_used_bytes=use.cache_used,
            cache_bytes=use.cache_bytes,
            tokens_per_s=use.tokens_per_s,
            adapters=generators.stack.tiers.use()["device"].resident,
            domains=self.domains("generator").data,
        )

    def _live_jobs(self) -> list[Job]:
        running = self.jobs("running", 100, None).data
        return running + self.jobs("queued", 100, None).data

    def _problems(self, disk_free: int) -> list[Problem]:
        core = self._core
        allowed = core.settings.damaged == "exact"
        meanwhile = " Its vPLMs are served in exact mode meanwhile." if allowed else ""
        damages = {damage.detail: damage for stack in core.stacks() for damage in faults_of(stack)}
        problems = [
            Problem(what=damage.detail + meanwhile, remedy=damage.remedy)
            for damage in damages.values()
        ]
        if core.mended:
            problems.append(
                Problem(
                    what="Domains that hung from nothing or in a ring when the engine started: "
                    f'{", ".join(sorted(core.mended))}. They hang below "{ROOT}" now.',
                    remedy="hmi domain mv NAME PARENT puts one elsewhere.",
                )
            )
        if (fault := core.tariff.fault()) is not None:
            problems.append(Problem(what=fault.detail, remedy=fault.remedy))
        if disk_free < _LOW_DISK:
            problems.append(
                Problem(
                    what=f"Only {disk_free >> 20} MiB are free on the disk of "
                    f"{core.settings.paths.data}.",
                    remedy="Free some, or move the home (--home) to a larger disk.",
                )
            )
        for queue in (stack.queue for stack in core.backbones.loaded()):
            depth, tokens = queue.size()
            if tokens > queue.limit_tokens // 2:
                what = f"{depth} texts are waiting; the engine is asked for more than it can do."
                remedy = "Lower the load, or raise --threads or use a faster device."
                problems.append(Problem(what=what, remedy=remedy))
                break
        return problems


def faults_of(stack: Stack) -> list[Damage]:
    """What is wrong with the tables of a backbone. That generators, or a further backbone, have no
    encoder is a state, not a fault: they answer in exact mode, and say so."""
    found = [knowledge.damage for knowledge in stack.tree.all() if knowledge.damage is not None]
    further = isinstance(stack, ServingStack) and not stack.own
    state = stack.kind == "generator" or further
    return [damage for damage in found if not state or damage.code != "no_encoder"]


def busiest_of(core: Core) -> list[TenantRate]:
    known = core.metrics.tenants().values()
    return sorted(known, key=lambda each: (-each.requests_per_s, each.tenant))[:BUSIEST]


def loaded_of(core: Core) -> list[LoadedBackbone]:
    """The backbones in memory, the engine's own first."""
    return [
        LoadedBackbone(
            id=name_of(core, stack.sha256),
            sha256=stack.sha256,
            own=stack.own,
            vplms=core.catalogue.backbones.users(stack.sha256),
            waiting=stack.queue.size()[0],
            fallback=_fallback(stack),
            by_owner=owners_of(stack),
        )
        for stack in core.backbones.loaded()
    ]


def _fallback(stack: ServingStack) -> str | None:
    """Why a further backbone answers in exact mode alone, if it does."""
    damage = stack.tree.take(ROOT).damage
    return None if stack.own or damage is None else damage.detail


def _backbone(backbone: Backbone) -> BackboneStatus:
    return BackboneStatus(
        name=backbone.checkpoint.name,
        sha256=backbone.checkpoint.sha256,
        layers=backbone.shape.layers,
        split=backbone.split,
        hidden=backbone.shape.hidden,
        max_tokens=backbone.max_tokens,
        dtype=str(backbone.dtype).removeprefix("torch."),
        parameters=backbone.parameters,
        bytes=backbone.bytes,
    )


def _device(core: Core) -> DeviceStatus:
    device = core.backbone.device
    if device.type == "cuda":
        sample = core.gpu.sample()
        if sample is not None:
            own = int(torch.cuda.memory_reserved(device))
            owners = device_memory_of(core, sample)
            return sample.model_copy(update={"engine_bytes": own, "by_owner": owners})
        return DeviceStatus(kind="cuda", name=str(device), note="NVML gives no figures")
    found = core.gpu.sample()
    note = "no NVIDIA device" if found is None else f"{found.name} is there but not used (--device)"
    return DeviceStatus(kind="cpu", name="CPU", note=note)
