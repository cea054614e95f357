"""Whatever is offered, taken, cancelled, loaded and closed in whatever order: nothing is lost,
nothing served twice, and nothing whose adapter is not there."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.memory.counters import Standing
from engine.serving.draft import BatchLimits
from engine.serving.scheduler import Scheduler
from engine.serving.work import Ticket, Work
from tests.engine.serving.works import Clock, work

ADAPTERS = "abcdef"
TENANTS = ("one", "two", "three")
LIMITS = BatchLimits(tokens=40, models=3)


class AnyOrder(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.standings: dict[str, Standing] = dict.fromkeys(ADAPTERS, "ready")
        self.weights = dict.fromkeys(TENANTS, 1.0)
        self.queue = Scheduler(
            10_000,
            standing=lambda adapter: self.standings[adapter],
            weight=lambda tenant: self.weights[tenant],
            clock=self.clock,
        )
        self.waiting: list[Work] = []
        self.taken: list[list[Work]] = []
        self.closed = False

    @precondition(lambda self: not self.closed)
    @rule(
        tenant=st.sampled_from(TENANTS),
        adapter=st.sampled_from(ADAPTERS),
        sizes=st.lists(st.integers(0, 30), min_size=1, max_size=4),
    )
    def offer(self, tenant: str, adapter: str, sizes: list[int]) -> None:
        ticket, now = Ticket(len(sizes), "disk"), self.clock.now
        works = [
            work(size, adapter, ticket=ticket, index=i, tenant=tenant, accepted=now)
            for i, size in enumerate(sizes)
        ]
        self.queue.offer(works)
        self.waiting += works

    @rule(late=st.floats(0, 0.2))
    def take(self, late: float) -> None:
        self.clock.now += late
        eligible = [w for w in self.waiting if self.standings[w.model.adapter] != "loading"]
        batch = self.queue.take(LIMITS, wait=False)
        assert bool(batch) == bool(eligible)
        assert all(any(w is other for other in eligible) for w in batch)
        assert len(set(map(id, batch))) == len(batch)
        assert len({w.model.adapter for w in batch}) <= LIMITS.models
        assert len(batch) <= 1 or sum(len(w.ids) for w in batch) <= LIMITS.tokens
        self._drop(batch)
        if batch:
            self.taken.append(batch)

    @precondition(lambda self: self.taken)
    @rule(seconds=st.floats(0, 1))
    def finish(self, seconds: float) -> None:
        self.clock.now += seconds
        self.queue.finished(self.taken.pop(0))

    @precondition(lambda self: self.waiting)
    @rule(which=st.integers(0, 10**6))
    def cancel(self, which: int) -> None:
        ticket = self.waiting[which % len(self.waiting)].ticket
        ticket.future.cancel()
        self._drop([w for w in self.waiting if w.ticket is ticket])

    @rule(adapter=st.sampled_from(ADAPTERS), to=st.sampled_from(["device", "ready", "loading"]))
    def move(self, adapter: str, to: Standing) -> None:
        before, self.standings[adapter] = self.standings[adapter], to
        if before == "loading" and to != "loading":
            self.queue.wake(adapter)

    @rule()
    def wake_without_reason(self) -> None:
        self.queue.wake()

    @rule(tenant=st.sampled_from(TENANTS), weight=st.sampled_from([0.001, 0.5, 1.0, 7.0, 1000.0]))
    def reweigh(self, tenant: str, weight: float) -> None:
        self.weights[tenant] = weight

    @precondition(lambda self: not self.closed)
    @rule()
    def close(self) -> None:
        assert self.queue.close() == self.waiting
        self.waiting, self.closed = [], True

    @invariant()
    def counts_are_right(self) -> None:
        assert self.queue.size() == (len(self.waiting), sum(len(w.ids) for w in self.waiting))
        shown = {use.tenant: (use.texts, use.tokens) for use in self.queue.busiest(9)}
        for tenant in TENANTS:
            own = [w for w in self.waiting if w.model.tenant == tenant]
            assert shown.get(tenant, (0, 0)) == (len(own), sum(len(w.ids) for w in own))

    def teardown(self) -> None:
        for adapter in ADAPTERS:
            self.move(adapter, "ready")
        while batch := self.queue.take(LIMITS, wait=False):
            self._drop(batch)
        assert not self.waiting

    def _drop(self, works: list[Work]) -> None:
        gone = set(map(id, works))
        self.waiting = [w for w in self.waiting if id(w) not in gone]


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
