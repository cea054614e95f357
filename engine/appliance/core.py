"""Everything an open engine is made of, put together once and taken apart in order."""

from __future__ import annotations

import itertools
import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial

from engine.appliance.chronicle import Chronicle
from engine.appliance.further import load_further, open_further
from engine.appliance.further_backbone import Upkeep
from engine.appliance.generator_stack import load_generators, no_generators
from engine.appliance.idleness import Idleness
from engine.appliance.key_ring import KeyRing
from engine.appliance.known_backbones import KnownBackbones, chosen_backbone
from engine.appliance.leftovers import Leftovers
from engine.appliance.made_for import name_of
from engine.appliance.models import ModelBook
from engine.appliance.recovery import mend, sweep_debris
from engine.appliance.serving_stack import ServingStack, Surroundings
from engine.appliance.stack import Shelves, Stack
from engine.appliance.stacks import Stacks
from engine.appliance.swaps import SwapNews
from engine.appliance.tenant_book import TenantBook
from engine.appliance.usage import Usage
from engine.config import Settings
from engine.knowledge.tree import DomainTree
from engine.memory.heap import bound_arenas, give_back
from engine.memory.tiers import AdapterTiers
from engine.model.adapters import AdapterShape
from engine.model.backbone import Backbone, pick_device
from engine.schema import Kind
from engine.serving.admission import Admission
from engine.serving.generation.generator import GeneratorUse
from engine.serving.scheduler import Scheduler
from engine.serving.threads import ThreadShare
from engine.tariff import TariffFile
from engine.telemetry.events import EventLog
from engine.telemetry.gpu import GpuSampler
from engine.telemetry.host import HostSampler
from engine.telemetry.metrics import Metrics
from engine.training.group import MOST
from engine.training.jobs import Jobs
from store.backbone_files import BackboneFiles
from store.blobs import BlobStore
from store.catalogue import Catalogue
from store.corpus_files import CorpusFiles
from store.dataset_files import DatasetFiles
from store.errors import StoreError
from store.places import Places
from store.restore import settle
from store.tables import TableFiles
from store.traffic_files import TrafficFiles

log = logging.getLogger(__name__)


class Core:
    """The parts, open. `close` once."""

    def __init__(
        self, settings: Settings, events: EventLog, metrics: Metrics, phase: Callable[[str], None]
    ) -> None:
        """Open everything; `phase` hears what is being loaded. Raises HmiError or StoreError."""
        self.settings, self.events, self.metrics = settings, events, metrics
        self.started_at = time.time()
        self.totals: Counter[str] = Counter()
        paths = settings.paths
        bound_arenas()
        phase("opening the store")
        settle(Places(paths.data))
        self.catalogue = Catalogue(paths.catalogue)
        self.blobs = BlobStore(paths.blobs)
        self.backbone_files = BackboneFiles(paths.backbones)
        self.tables = TableFiles(paths.tables)
        self.traffic_files = TrafficFiles(paths.tables)
        """Whatever backbone it is of."""
        self.corpora = CorpusFiles(paths.corpora)
        self.datasets = DatasetFiles(paths.datasets)
        self.mended = mend(self.catalogue)
        """Domains that hung from nothing or in a ring, and hang below the root since the start."""
        phase("sweeping what an earlier engine left unfinished")
        sweep_debris(self)
        self.device = device = pick_device(settings.device)
        self.changing = threading.RLock()
        """Held by calls that change what vPLMs there are."""
        self.threads = ThreadShare.divided(
            settings.threads,
            os.cpu_count() or 1,
            overlap=settings.pipeline == "on",
            device=device,
        )
        self.threads.apply()
        self.tenants = TenantBook(self.catalogue)
        self.shelves = shelves = Shelves(
            self.catalogue, self.blobs, self.tables, partial(TrafficFiles, paths.tables)
        )
        self.around = around = Surroundings(
            self.threads,
            self.tenants.weight,
            # Nothing is served before the engine is open.
            lambda record: self.chronicle.batch(record),
            lambda move: self.chronicle.move(move),
            itertools.count(1),
        )
        self.leftovers = Leftovers(
            self.catalogue, self.blobs, lambda: [stack.tiers for stack in self.stacks()]
        )
        folder, split = chosen_backbone(settings, self.catalogue, self.backbone_files)
        own = ServingStack.load(folder, split, settings, shelves, around, device, phase)
        self.known = KnownBackbones(
            own.backbone,
            self.catalogue.backbones,
            self.backbone_files,
            given=settings.backbone is not None,
        )
        """The backbones that vPLMs may have."""
        self.watch: Callable[[ServingStack], Callable[[], None]] = lambda _: lambda: None
        """Begins to watch the pipeline of a further backbone; called again, what it gives ends
        that."""
        self.backbones = Stacks(
            own,
            Upkeep(
                settings.further_backbones,
                settings.further_idle_s,
                partial(load_further, self),
                partial(open_further, self),
                lambda sha256: bool(self.catalogue.backbones.pinned(sha256)),
                partial(name_of, self),
                self.known.get,
                self.changing,
            ),
        )
        phase("starting the pipeline")
        self.generators = load_generators(
            settings,
            shelves,
            device,
            self.tenants.weight,
            lambda record: self.chronicle.round(record),
            phase,
        )
        """None: no vPLM can generate."""
        self.models = ModelBook(self.catalogue, self.tiers_of)
        self.usage = Usage(self.catalogue)
        self.tariff = TariffFile(paths.config)
        self.keys = KeyRing(self.catalogue)
        self.admission = Admission(self.tenants.terms)
        self.refused: Counter[str] = Counter()
        """Requests refused with 429 since start, by reason."""
        swaps = SwapNews(self.backbones, events)
        self.chronicle = Chronicle(events, metrics, self.totals, self.backbones.waiting, swaps.tell)
        self.idleness = Idleness(metrics, self.totals, self.backbones.waiting, self._generator_use)
        self.jobs = Jobs(
            self.catalogue.jobs,
            self.threads,
            self.idleness.idle,
            self.chronicle.job,
            self._job_ended,
            most=MOST,
        )
        self.gpu = GpuSampler(device.index or 0)
        self.host = HostSampler()
        self.gpu.start()
        own.pipeline.start()
        log.info(
            "ready: %s on %s in %s, %d vPLMs, %d adapter slots, %d threads",
            self.backbone.checkpoint.name,
            device,
            str(self.backbone.dtype).removeprefix("torch."),
            self.catalogue.vplms.count(),
            self.tiers.arena.slots,
            self.threads.total,
        )

    def stacks(self) -> list[Stack]:
        """All that are loaded: the engine's own, others of its classifiers, the generators'."""
        generators = [] if self.generators is None else [self.generators.stack]
        return [*self.backbones.loaded(), *generators]

    def stack_for(self, kind: Kind) -> Stack:
        """As `stack_of`, by the kind of vPLM."""
        return self.stack_of("generate" if kind == "generator" else "classify")

    def stack_of(self, task: str) -> Stack:
        """The engine's own of the backbones that vPLMs of that task are made for. Unavailable if
        nothing here can generate."""
        if task != "generate":
            return self.stack
        if self.generators is None:
            raise no_generators()
        return self.generators.stack

    @property
    def stack(self) -> ServingStack:
        """The engine's own."""
        return self.backbones.own

    @property
    def queue(self) -> Scheduler:
        return self.stack.queue

    @property
    def backbone(self) -> Backbone:
        return self.stack.backbone

    @property
    def tree(self) -> DomainTree:
        return self.stack.tree

    @property
    def adapter_shape(self) -> AdapterShape:
        return self.stack.adapter_shape

    @property
    def tiers(self) -> AdapterTiers:
        return self.stack.tiers

    def tiers_of(self, backbone: str) -> AdapterTiers | None:
        """Where adapters for the backbone with that sha256 are; None while it is not loaded."""
        if self.generators is not None and backbone == self.generators.stack.sha256:
            return self.generators.stack.tiers
        stack = self.backbones.get(backbone)
        return None if stack is None else stack.tiers

    def close(self) -> None:
        """Stop serving, then jobs, then let go of the store."""
        self.backbones.stop()
        if self.generators is not None:
            self.generators.close()
        self.jobs.stop()
        self._write_usage()
        self.backbones.close()
        self.gpu.close()
        self.catalogue.close()

    def _write_usage(self) -> None:
        for save in (*(stack.save for stack in self.stacks()), self.usage.save):
            try:
                save()
            except StoreError as error:
                log.error("what was asked lately cannot be written down: %s", error)

    def _generator_use(self) -> GeneratorUse | None:
        return None if self.generators is None else self.generators.generator.use()

    def _job_ended(self, type: str, state: str) -> None:
        self.metrics.job_ended(type, state)
        give_back()
