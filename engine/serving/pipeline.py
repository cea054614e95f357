"""The thread that takes batches through the stages and hands out the answers."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from engine.errors import HmiError, Unavailable
from engine.knowledge.retrieve import Damage, Knowledge, Lookups, MissPolicy
from engine.knowledge.tree import DomainTree
from engine.memory.tiers import AdapterTiers
from engine.model.backbone import Backbone
from engine.serving.batch import Batch, form_batch
from engine.serving.draft import BatchLimits
from engine.serving.scheduler import Scheduler
from engine.serving.stages import compute_stage, load_stage, retrieve_stage
from engine.serving.threads import ThreadShare
from engine.serving.work import Outcome, Work

log = logging.getLogger(__name__)

ARENA_FULL = "arena_full"

DamagedPolicy = Literal["refuse", "exact"]


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """What one batch was and how long its stages took. Instants are perf_counter seconds."""

    number: int
    texts: int
    tokens: int
    models: int
    lookups: tuple[tuple[str, Lookups], ...]
    """By domain."""
    oldest: float
    taken: float
    seconds: dict[str, float]
    failed: int


class Pipeline:
    """Owns the compute thread. `start` once, `stop` once."""

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
    ) -> None:
        """`miss` holds for vPLMs without a policy of their own; `damaged` says whether a domain
        whose tables are damaged refuses, or serves in exact mode and says so."""
        self._backbone = backbone
        self._tree = tree
        self._tiers = tiers
        self._queue = queue
        self._limits = limits
        self._miss: MissPolicy = miss
        self._damaged: DamagedPolicy = damaged
        self._threads = threads
        self._on_batch = on_batch
        self._number = 0
        self._thread = threading.Thread(target=self._run, name="pipeline", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float = 8.0) -> None:
        """Finish the batch under way; what waits is refused, nothing is dropped silently."""
        for work in self._queue.close():
            work.ticket.fail(
                Unavailable("The engine is stopping.", remedy="Ask again once it is back.")
            )
        self._thread.join(timeout)

    def _run(self) -> None:
        while works := self._queue.take(self._limits):
            self._threads.apply()
            try:
                self._serve(works)
            except Exception as error:
                log.exception("a batch of %d texts failed", len(works))
                failure = error if isinstance(error, HmiError) else _internal(error)
                for work in works:
                    work.ticket.fail(failure)
            self._queue.finished(works)

    def _serve(self, works: list[Work]) -> None:
        self._number += 1
        taken: dict[str, Knowledge] = {}
        usable = self._usable(works, taken)
        if not usable:
            return
        batch = form_batch(self._number, usable, taken.__getitem__, time.perf_counter(), self._miss)
        adapters = batch.adapters
        try:
            self._timed(batch, "retrieve", lambda: retrieve_stage(batch))
            self._timed(batch, "load", lambda: load_stage(batch, self._tiers))
            probs: list[list[float]] = []

            def compute() -> None:
                probs.extend(compute_stage(batch, self._backbone, self._tiers))

            self._timed(batch, "compute", compute)
        finally:
            if "load" in batch.seconds:
                self._tiers.release(adapters)
        crowded = _crowded_out(batch)
        # Who has an answer finds it counted.
        self._record(batch, crowded)
        self._answer(batch, probs, crowded)
        if crowded:
            self._serve(crowded)

    def _timed(self, batch: Batch, stage: str, run: Callable[[], None]) -> None:
        began = time.perf_counter()
        run()
        batch.seconds[stage] = time.perf_counter() - began

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
        if self._damaged == "exact":
            return replace(work, mode="exact", fallback=damage.detail)
        raise Unavailable(damage.detail, remedy=damage.remedy, code=damage.code)

    def _answer(self, batch: Batch, probs: list[list[float]], later: list[Work]) -> None:
        """Deliver answers and errors, but for works that are served `later`."""
        waiting = set(map(id, later))
        works = batch.works
        for work, answer, found in zip(works, probs, _lookups(batch), strict=True):
            if id(work) in waiting:
                continue
            error = batch.errors.get(work.model.adapter)
            if error is not None:
                work.ticket.fail(error)
                continue
            work.ticket.deliver(
                work.index,
                Outcome(
                    probs=tuple(answer),
                    tokens=len(work.ids),
                    lookups=found,
                    queue_s=batch.taken - work.accepted,
                    retrieve_s=batch.seconds["retrieve"],
                    load_s=batch.seconds["load"],
                    compute_s=batch.seconds["compute"],
                    batch_size=len(works),
                    batch_models=len(batch.adapters),
                    fallback=work.fallback,
                ),
            )

    def _record(self, batch: Batch, crowded: list[Work]) -> None:
        lookups: list[tuple[str, Lookups]] = []
        for group in batch.groups:
            if group.knowledge is not None and group.retrieved is not None:
                domain, found = group.knowledge.domain, group.retrieved.lookups()
                traffic = self._tree.traffic.get(domain)
                if traffic is not None:
                    traffic.add(found)
                lookups.append((domain, found))
        works = batch.works
        self._on_batch(
            BatchRecord(
                number=batch.number,
                texts=len(works),
                tokens=batch.tokens,
                models=len(batch.adapters),
                lookups=tuple(lookups),
                oldest=min(w.accepted for w in works),
                taken=batch.taken,
                seconds=dict(batch.seconds),
                failed=sum(w.model.adapter in batch.errors for w in works) - len(crowded),
            )
        )


def _crowded_out(batch: Batch) -> list[Work]:
    """Works whose adapters had no room beside the batch's others, and may have without them."""
    if not batch.slots:
        return []
    full = {
        adapter
        for adapter, error in batch.errors.items()
        if isinstance(error, Unavailable) and error.code == ARENA_FULL
    }
    return [w for w in batch.works if w.model.adapter in full]


def _lookups(batch: Batch) -> list[Lookups | None]:
    """Where each work's rows came from, in order; None in exact mode."""
    found: list[Lookups | None] = []
    for group in batch.groups:
        at = 0
        for work in group.works:
            end = at + len(work.ids)
            found.append(None if group.retrieved is None else group.retrieved.lookups(at, end))
            at = end
    return found


def _internal(error: Exception) -> HmiError:
    return HmiError(
        f"The batch failed inside the engine: {type(error).__name__}: {error}",
        remedy="The engine's log has the details (hmi logs).",
    )
