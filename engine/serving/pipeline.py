"""The threads that take batches through the stages: retrieve, load, compute.

While a batch is computed, the next one's rows and adapters are fetched. On the CPU several workers
compute, each its own batch. `overlap` off runs the same stages one after the other.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from typing import Literal

from engine.errors import HmiError, Unavailable
from engine.knowledge.retrieve import Damage, Knowledge, MissPolicy
from engine.knowledge.tree import DomainTree
from engine.memory.tiers import AdapterTiers
from engine.model.backbone import Backbone
from engine.serving.answers import answer, refuse
from engine.serving.batch import Batch, form_batch
from engine.serving.cadence import Cadence
from engine.serving.draft import BatchLimits
from engine.serving.handoff import Handoff
from engine.serving.pulse import Pulse
from engine.serving.record import BatchRecord
from engine.serving.room import Room
from engine.serving.scheduler import Scheduler
from engine.serving.shortage import compute_in_parts
from engine.serving.stages import compute_stage, retrieve_stage
from engine.serving.threads import ThreadShare
from engine.serving.work import Work

log = logging.getLogger(__name__)

DamagedPolicy = Literal["refuse", "exact"]


class Pipeline:
    """Owns the stages' threads. `start` once, `stop` once."""

    def __init__(
        self,
        backbone: Backbone,
        tree: DomainTree,
        tiers: AdapterTiers,
        queue: Scheduler,
        limits: BatchLimits,
        miss: MissPolicy,
        threads: ThreadShare,
        on_batch: Callable[[BatchRecord], None],
        damaged: DamagedPolicy = "refuse",
        *,
        overlap: bool = True,
        tolerated: Collection[str] = (),
        workers: int | None = None,
        numbers: Iterator[int] | None = None,
    ) -> None:
        """`miss` holds for vPLMs without a policy of their own; `damaged` says whether a domain
        whose tables are damaged refuses, or serves in exact mode and says so, as it does anyway
        for the codes that are `tolerated`. As many `workers` compute as `threads` has teams (None)
        or fewer; `numbers` are its batches'."""
        workers = threads.workers if workers is None else workers
        self._backbone = backbone
        self._tree = tree
        self._room = Room(tiers)
        self._tiers = tiers
        self._queue = queue
        self._limits = limits
        self._miss: MissPolicy = miss
        self._damaged: DamagedPolicy = damaged
        self._tolerated = tolerated
        self._team = threads
        self._on_batch = on_batch
        self.pulse = Pulse()
        """What its threads are doing, for a watchdog."""
        self._numbers = itertools.count(1) if numbers is None else numbers
        # What is counted of lookups and batches is counted by one thread at a time.
        self._retrieving, self._recording = threading.Lock(), threading.Lock()
        self._cadence = Cadence(workers)
        self._retrieved: Handoff[Batch] = Handoff()
        self._loaded: Handoff[Batch] = Handoff()
        jobs: list[Callable[[], None]] = [self._in_turn]
        if overlap:
            jobs = [self._retrieve_ahead, self._load_ahead, *[self._compute] * workers]
        names = (job.__name__.strip("_").replace("_", "-") for job in jobs)
        self._threads = [
            threading.Thread(target=job, name=f"{name}-{i}", daemon=True)
            for i, (job, name) in enumerate(zip(jobs, names, strict=True))
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def dead(self) -> list[str]:
        """Names of threads that have ended; none have while it serves."""
        return [thread.name for thread in self._threads if not thread.is_alive()]

    def stop(self, timeout: float = 8.0) -> None:
        """Finish the batches under way; what waits is refused, nothing is dropped silently."""
        self.refuse_waiting()
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def refuse_waiting(self) -> None:
        """Nothing more is taken; the batches under way go on."""
        refuse(
            self._queue.close(),
            Unavailable("The engine is stopping.", remedy="Ask again once it is back."),
        )

    def _in_turn(self) -> None:
        while works := self._take(self._limits):
            batch = self._retrieve(works)
            if batch is None:
                self._queue.finished(works)
            while batch is not None and self._load(batch):
                self._finish(batch)
                batch = batch.rest

    def _retrieve_ahead(self) -> None:
        while True:
            self._cadence.wait()
            tokens = self._cadence.share(self._queue.size()[1], self._limits.tokens)
            works = self._take(replace(self._limits, tokens=tokens))
            if not works:
                break
            batch = self._retrieve(works)
            if batch is None:
                self._queue.finished(works)
                self._cadence.drop()
            else:
                self._retrieved.put(batch)
        self._retrieved.close()

    def _take(self, limits: BatchLimits) -> list[Work]:
        """The next batch's works; none once the scheduler is closed, or has failed: then nothing
        that waits may wait for ever."""
        try:
            return self._queue.take(limits)
        except Exception as error:
            log.exception("the scheduler failed; restart the engine")
            refuse(self._queue.close(), error)
            return []

    def _load_ahead(self) -> None:
        while (batch := self._retrieved.take()) is not None:
            wanted = True
            while batch is not None:
                if self._load(batch):
                    if not wanted:
                        self._cadence.add()
                    self._loaded.put(batch)
                elif wanted:
                    self._cadence.drop()
                batch, wanted = batch.rest, False
        self._loaded.close()

    def _compute(self) -> None:
        while (batch := self._loaded.take()) is not None:
            before = batch.seconds["retrieve"] + batch.seconds["load"]
            self._cadence.begin(batch.number, batch.tokens, before)
            self._finish(batch)
            self._cadence.end(batch.number, batch.tokens, batch.seconds.get("compute", 0.0))

    def _retrieve(self, works: list[Work]) -> Batch | None:
        """A batch of those that can be served, its rows at hand; None if none can."""
        self._team.apply()
        try:
            taken: dict[str, Knowledge] = {}
            usable = self._usable(works, taken)
            if not usable:
                return None
            now = time.perf_counter()
            number = next(self._numbers)
            batch = form_batch(number, usable, taken.__getitem__, now, self._miss)
            batch.drawn = works
            with self.pulse.busy("retrieve"), batch.timed("retrieve"), self._retrieving:
                retrieve_stage(batch)
        except Exception as error:
            log.exception("retrieving rows for %d texts failed", len(works))
            refuse(works, error)
            return None
        return batch

    def _load(self, batch: Batch) -> bool:
        """Slots for its adapters; whether it may be computed. It may have a `rest` then."""
        try:
            with self.pulse.busy("load"), batch.timed("load"):
                crowded = self._room.make(batch)
            if crowded:
                rest = batch.split_off(crowded, next(self._numbers))
                rest.drawn = rest.works
        except Exception as error:
            log.exception("loading %d adapters failed", len(batch.adapters))
            refuse(batch.works, error)
            self._queue.finished(batch.drawn)
            return False
        return True

    def _finish(self, batch: Batch) -> None:
        """Compute a batch, let go of its slots and hand out the answers."""
        self._team.apply()
        try:
            try:
                with self.pulse.busy("compute"), batch.timed("compute"):
                    values = compute_in_parts(
                        batch, lambda part: compute_stage(part, self._backbone, self._tiers)
                    )
            finally:
                self._room.release(batch)
            # Who has an answer finds it counted.
            self._count(batch)
            answer(batch, values)
        except Exception as error:
            log.exception("a batch of %d texts failed", len(batch.works))
            refuse(batch.works, error)
            self._queue.finished(batch.drawn)

    def _usable(self, works: list[Work], taken: dict[str, Knowledge]) -> list[Work]:
        """The works that can be served, as they can be. `taken` gets each domain's knowledge,
        once: what it is now is what the whole batch uses, whatever happens to the tree meanwhile.
        """
        usable: list[Work] = []
        for work in works:
            domain = work.model.domain
            try:
                if work.mode == "plot" and domain not in taken:
                    taken[domain] = self._tree.take(domain)
                damage = taken[domain].damage if work.mode == "plot" else None
                usable.append(work if damage is None else self._in_spite_of(damage, work))
            except HmiError as error:
                work.ticket.fail(error)
        return usable

    def _in_spite_of(self, damage: Damage, work: Work) -> Work:
        if self._damaged == "exact" or damage.code in self._tolerated:
            return replace(work, mode="exact", fallback=damage.detail)
        raise Unavailable(damage.detail, remedy=damage.remedy, code=damage.code)

    def _count(self, batch: Batch) -> None:
        """What goes wrong here costs nobody an answer."""
        try:
            self._queue.finished(batch.drawn)
            with self._recording:
                self._record(batch)
        except Exception:
            log.exception("batch %d was not counted", batch.number)

    def _record(self, batch: Batch) -> None:
        record = BatchRecord.of(batch)
        for domain, found in record.lookups:
            traffic = self._tree.traffic.get(domain)
            if traffic is not None:
                traffic.add(found)
        self._on_batch(record)
