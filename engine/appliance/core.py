"""Everything an open engine is made of, put together once and taken apart in order."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from functools import partial
from pathlib import Path

from engine.appliance.chronicle import Chronicle
from engine.appliance.epochs import EpochBook
from engine.appliance.further import load_further, open_further
from engine.appliance.further_backbone import Upkeep
from engine.appliance.generator_stack import load_generators, no_generators
from engine.appliance.inspection import TableInspection
from engine.appliance.key_ring import KeyRing
from engine.appliance.known_backbones import KnownBackbones
from engine.appliance.made_for import name_of
from engine.appliance.models import ModelBook
from engine.appliance.recovery import mend, sweep_debris
from engine.appliance.serving_stack import ServingStack, Surroundings
from engine.appliance.stack import Shelves, Stack
from engine.appliance.stacks import Stacks
from engine.appliance.swaps import SwapNews
from engine.appliance.tenant_book import TenantBook
from engine.appliance.usage import Usage
from engine.config import DEFAULT_SPLIT, Settings
from engine.knowledge.row_cache import RowCache
from engine.knowledge.traffic_file import TrafficLedger
from engine.knowledge.tree import DomainTree
from engine.memory.heap import bound_arenas, give_back
from engine.memory.tiers import AdapterTiers
from engine.model.adapters import AdapterShape
from engine.model.backbone import Backbone, pick_device
from engine.schema import Kind
from engine.serving.admission import Admission
from engine.serving.pipeline import Pipeline
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
from store.errors import NotFound, StoreError
from store.places import Places
from store.restore import settle
from store.tables import TableFiles
from store.texts import CorpusFiles, DatasetFiles
from store.traffic_files import TrafficFiles

log = logging.getLogger(__name__)

_IDLE_RATE = 1.0
"""Requests a second under which the engine counts as idle."""


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
        folder, split = self._chosen_backbone()
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
        self.jobs = Jobs(
            self.catalogue.jobs,
            self.threads,
            self.idle,
            self.chronicle.job,
            self._job_ended,
            most=MOST,
        )
        self._lately: deque[tuple[float, int]] = deque()
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
    def pipeline(self) -> Pipeline:
        return self.stack.pipeline

    @property
    def backbone(self) -> Backbone:
        return self.stack.backbone

    @property
    def row_cache(self) -> RowCache:
        return self.stack.row_cache

    @property
    def tree(self) -> DomainTree:
        return self.stack.tree

    @property
    def ledger(self) -> TrafficLedger:
        return self.stack.ledger

    @property
    def epochs(self) -> EpochBook:
        return self.stack.epochs

    @property
    def inspection(self) -> TableInspection:
        return self.stack.inspection

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

    def discard_if_unused(self, adapter: str) -> None:
        """A vPLM has let go of an adapter: it goes, unless a version or a starting point uses it,
        and is pinned no more unless a vPLM that answers with it is."""
        if not self.catalogue.adapters.used(adapter):
            self.discard_adapter(adapter)
        else:
            for tiers in self._all_tiers():
                tiers.pin(adapter, pinned=self.pinned(adapter))

    def pinned(self, adapter: str) -> bool:
        """Whether any vPLM that answers with the adapter is pinned."""
        return self.catalogue.vplms.pinned(adapter)

    def discard_adapter(self, adapter: str) -> None:
        """Remove an adapter that is known to have no users."""
        self.catalogue.adapters.remove(adapter)
        self.forget_blob(adapter)

    def forget_blob(self, adapter: str) -> None:
        """Take an adapter that the catalogue does not know out of memory and off the disk."""
        for tiers in self._all_tiers():
            tiers.forget(adapter)
        # Its file may have been lost already; gone is gone.
        with contextlib.suppress(NotFound):
            self.blobs.delete(adapter, self.catalogue.knows_blob)

    def _all_tiers(self) -> list[AdapterTiers]:
        return [stack.tiers for stack in self.stacks()]

    def _chosen_backbone(self) -> tuple[Path | None, int]:
        """The folder that --backbone names, or that of the imported one that it names, and how many
        of its layers come from tables."""
        chosen, split = self.settings.backbone, self.settings.split
        if chosen is None or chosen.is_dir():
            return chosen, split or DEFAULT_SPLIT
        name, _, version = str(chosen).partition(":")
        for row in self.catalogue.backbones.all():
            if row.name == name and version in ("", str(row.version)):
                self.backbone_files.check(row.sha256, row.name)
                return self.backbone_files.folder(row.sha256, row.name), split or row.split
        return chosen, split or DEFAULT_SPLIT

    def _write_usage(self) -> None:
        for save in (*(stack.save for stack in self.stacks()), self.usage.save):
            try:
                save()
            except StoreError as error:
                log.error("what was asked lately cannot be written down: %s", error)

    def idle(self) -> bool:
        """Whether there is hardly any traffic right now."""
        quiet = self.backbones.waiting() == 0 and not self._generating()
        return quiet and self.metrics.rates().requests_per_s < _IDLE_RATE

    def busy(self) -> bool:
        """Whether load has come, as a job for idle time must know it: within a second."""
        now, batches = time.monotonic(), self.totals["batches"]
        self._lately.append((now, batches))
        while now - self._lately[0][0] > 1.0:
            self._lately.popleft()
        if self.backbones.waiting() > 0 or self._generating():
            return True
        return batches - self._lately[0][1] > _IDLE_RATE

    def _generating(self) -> bool:
        """Whether a text is being generated, which one request may take minutes for."""
        if self.generators is None:
            return False
        use = self.generators.generator.use()
        return use.living + use.waiting > 0

    def _job_ended(self, type: str, state: str) -> None:
        self.metrics.job_ended(type, state)
        give_back()
