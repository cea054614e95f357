"""A batch: texts of many tenants in the order in which the stages handle them."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np

from engine.knowledge.retrieve import Asked, Knowledge, MissPolicy
from engine.knowledge.retrieved import Retrieved
from engine.memory.transfer import Arrival
from engine.model.ngrams import Ids
from engine.serving.work import Mode, Work


@dataclass(slots=True, eq=False)
class Group:
    """Neighbouring texts whose lower layers come by one way: a domain under one miss policy, or
    exact mode."""

    works: list[Work]
    knowledge: Knowledge | None
    """None in exact mode."""
    miss: MissPolicy = "compute"
    retrieved: Retrieved | None = None

    @property
    def lengths(self) -> list[int]:
        return [len(w.ids) for w in self.works]

    @property
    def ids(self) -> Ids:
        count = sum(self.lengths)
        return np.fromiter((t for w in self.works for t in w.ids), dtype=np.int64, count=count)

    def where(self, chosen: Sequence[bool]) -> Group:
        """Its `chosen` works, with what was retrieved for them."""
        works = [work for work, here in zip(self.works, chosen, strict=True) if here]
        found = self.retrieved
        if found is not None:
            found = found.where(np.repeat(np.array(chosen), self.lengths))
        return Group(works, self.knowledge, self.miss, found)

    @property
    def seconds(self) -> list[int]:
        return [w.second for w in self.works]

    def asked(self) -> Asked:
        """What is to be retrieved; not in exact mode."""
        assert self.knowledge is not None, "exact mode looks nothing up"
        seconds = self.seconds
        return Asked(
            self.ids,
            np.array(self.lengths, dtype=np.int64),
            self.knowledge,
            self.miss,
            seconds=np.array(seconds, dtype=np.int64) if any(seconds) else None,
        )

    def part(self, start: int, end: int | None = None) -> Group:
        """Its works `start` to `end`, with what was retrieved for them."""
        lengths = self.lengths
        first, last = sum(lengths[:start]), sum(lengths[:end])
        found = None if self.retrieved is None else self.retrieved.part(first, last)
        return Group(self.works[start:end], self.knowledge, self.miss, found)


@dataclass(slots=True, eq=False)
class Batch:
    """`groups` cover its works in order; a domain's tables are the same epoch for all of them."""

    number: int
    groups: list[Group]
    taken: float
    """When it left the queue (perf_counter)."""
    began: dict[str, float] = field(default_factory=dict)
    """By stage (perf_counter)."""
    seconds: dict[str, float] = field(default_factory=dict)
    """By stage."""
    slots: dict[str, int] = field(default_factory=dict)
    """The arena slot of each adapter that could be loaded."""
    errors: dict[str, Exception] = field(default_factory=dict)
    """Why the other adapters could not."""
    arrivals: list[Arrival] = field(default_factory=list)
    """What computing waits for: copies into slots that may be under way still."""
    drawn: list[Work] = field(default_factory=list)
    """What the scheduler gave out for it, those among them that could not be served."""
    rest: Batch | None = None
    """What was split off it: works whose adapters find room once this batch is through."""

    @property
    def works(self) -> list[Work]:
        return [w for group in self.groups for w in group.works]

    @property
    def adapters(self) -> list[str]:
        """Distinct, in order."""
        return list(dict.fromkeys(w.model.adapter for w in self.works))

    @property
    def tokens(self) -> int:
        return sum(len(w.ids) for w in self.works)

    def split_off(self, adapters: Collection[str], number: int) -> Batch:
        """Take the works with `adapters` out of this batch; they are a new one, batch `number`,
        which is also the `rest` of this."""
        groups = [(g, [w.model.adapter in adapters for w in g.works]) for g in self.groups]
        others = [group.where(chosen) for group, chosen in groups if any(chosen)]
        self.groups = [g.where([not c for c in chosen]) for g, chosen in groups if not all(chosen)]
        for adapter in adapters:
            self.errors.pop(adapter, None)
        self.rest = Batch(number, others, self.taken, dict(self.began), dict(self.seconds))
        return self.rest

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Note when `stage` began and what it took, once it has succeeded."""
        began = self.began[stage] = time.perf_counter()
        yield
        self.seconds[stage] = time.perf_counter() - began


def form_batch(
    number: int,
    works: list[Work],
    take: Callable[[str], Knowledge],
    now: float,
    miss: MissPolicy = "compute",
) -> Batch:
    """Order `works` by mode, domain, miss policy and adapter, and take each domain's knowledge
    once. `miss` is the policy of vPLMs that have none of their own."""

    def place(work: Work) -> tuple[Mode, str, MissPolicy]:
        if work.mode == "exact":
            return "exact", "", miss
        return "plot", work.model.domain, work.model.miss or miss

    ordered = sorted(works, key=lambda w: (*place(w), w.model.adapter, len(w.ids)))
    domains = {w.model.domain: None for w in ordered if w.mode == "plot"}
    taken = {domain: take(domain) for domain in domains}
    groups = [
        Group(list(members), taken.get(domain), policy)
        for (_, domain, policy), members in groupby(ordered, key=place)
    ]
    return Batch(number, groups, now)
