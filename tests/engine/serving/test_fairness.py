"""Who is served how much and how soon, in simulated time."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from itertools import cycle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import QueueFull
from engine.serving.draft import BatchLimits, Standing
from engine.serving.scheduler import AGE_BOUND, Scheduler
from engine.serving.turns import QUANTUM
from engine.serving.work import Work
from tests.engine.serving.works import Clock, work

LIMITS = BatchLimits(tokens=512, models=100)
ROOM = 10**9


def shares(
    weights: dict[str, float], lengths: Mapping[str, Iterator[int]], tokens: int
) -> Counter[str]:
    """Tokens served of each tenant while all always have something waiting."""
    queue = Scheduler(ROOM, weight=weights.__getitem__, clock=Clock())
    served: Counter[str] = Counter()
    for tenant in weights:
        first = 0
        while first < 2 * LIMITS.tokens:
            text = work(next(lengths[tenant]), tenant=tenant, accepted=0.0)
            queue.offer([text])
            first += len(text.ids)
    while sum(served.values()) < tokens:
        for done in queue.take(LIMITS, wait=False):
            tenant = done.model.tenant
            served[tenant] += len(done.ids)
            queue.offer([work(next(lengths[tenant]), tenant=tenant, accepted=0.0)])
    return served


def jain(amounts: list[float]) -> float:
    return sum(amounts) ** 2 / (len(amounts) * sum(a * a for a in amounts))


@settings(max_examples=15, deadline=None)
@given(st.lists(st.lists(st.integers(3, 256), min_size=1, max_size=5), min_size=2, max_size=6))
def test_equal_tenants_share_alike_however_long_their_texts_are(texts: list[list[int]]) -> None:
    tenants = {f"t{i}": cycle(lengths) for i, lengths in enumerate(texts)}
    served = shares(dict.fromkeys(tenants, 1.0), tenants, 5_000 * len(tenants))
    mean = sum(served.values()) / len(tenants)
    assert all(abs(served[tenant] - mean) <= 0.05 * mean for tenant in tenants)
    assert jain([float(served[tenant]) for tenant in tenants]) >= 0.99


@pytest.mark.parametrize("scale", [0.001, 1.0, 250.0])
def test_tenants_share_by_weight(scale: float) -> None:
    weights = {"light": scale, "middle": 2 * scale, "heavy": 4 * scale}
    lengths = {"light": cycle([7]), "middle": cycle([100, 3]), "heavy": cycle([31])}
    served = shares(weights, lengths, 35_000)
    assert served["light"] == pytest.approx(5_000, rel=0.05)
    assert served["middle"] == pytest.approx(10_000, rel=0.05)
    assert served["heavy"] == pytest.approx(20_000, rel=0.05)


def test_a_flood_delays_another_tenants_text_by_no_more_than_a_round() -> None:
    queue = Scheduler(ROOM, clock=Clock())
    for tenant, count in {"flood": 5000, "quiet": 100}.items():
        queue.offer([work(20, tenant=tenant, accepted=0.0) for _ in range(count)])
    limits = BatchLimits(tokens=60, models=9)
    queue.take(limits, wait=False)
    late = work(20, tenant="late", accepted=0.0)
    queue.offer([late])
    before = 0
    while late not in (batch := queue.take(limits, wait=False)):
        before += sum(len(w.ids) for w in batch)
    # One quantum of each of the two others, and a batch to come in.
    assert before <= 2 * QUANTUM + limits.tokens


def test_a_tenant_that_rests_saves_nothing() -> None:
    clock = Clock()
    queue = Scheduler(ROOM, clock=clock)
    queue.offer([work(20, tenant="busy", accepted=0.0) for _ in range(2000)])
    queue.offer([work(1, tenant="rests", accepted=0.0)])
    for _ in range(50):
        queue.take(LIMITS, wait=False)
    queue.offer([work(20, tenant="rests", accepted=0.0) for _ in range(200)])
    served = Counter(w.model.tenant for _ in range(4) for w in queue.take(LIMITS, wait=False))
    assert served["rests"] <= served["busy"] + 2 * QUANTUM // 20


def test_coming_back_for_each_text_brings_no_second_turn_in_a_round() -> None:
    queue = Scheduler(ROOM, clock=Clock())
    for tenant in ("one", "two"):
        queue.offer([work(20, tenant=tenant, accepted=0.0) for _ in range(500)])
    served: Counter[str] = Counter()
    limits = BatchLimits(tokens=QUANTUM, models=9)
    for _ in range(60):
        batch = queue.take(limits, wait=False)
        served.update(w.model.tenant for w in batch)
        if not any(use.tenant == "sly" for use in queue.busiest(9)):
            queue.offer([work(QUANTUM, tenant="sly", accepted=0.0)])
    tokens = {"one": 20 * served["one"], "sly": QUANTUM * served["sly"]}
    assert tokens["sly"] <= tokens["one"] + QUANTUM


def test_a_heavier_tenant_gets_its_share_as_soon_as_it_is_made_heavier() -> None:
    weights = {"slow": 1e-9, "other": 1.0}
    queue = Scheduler(ROOM, weight=weights.__getitem__, clock=Clock())
    for tenant in weights:
        queue.offer([work(50, tenant=tenant, accepted=0.0) for _ in range(200)])
    queue.take(LIMITS, wait=False)
    weights["slow"] = 1.0
    queue.offer([work(50, tenant="slow", accepted=0.0)])
    served = Counter(w.model.tenant for _ in range(4) for w in queue.take(LIMITS, wait=False))
    assert served["slow"] >= 15


def resident_flood(cold: Work, same_tenant: bool) -> tuple[list[float], Callable[[], bool]]:
    """Serve an endless stream of resident works in batches of 0.1 s, until `cold` is."""
    clock = Clock()
    standings: dict[str, Standing] = {"hot": "device", "cold": "ready"}
    queue = Scheduler(ROOM, standing=standings.__getitem__, clock=clock)
    tenants = ["acme"] if same_tenant else ["acme", "globex", "initech"]

    def flood() -> None:
        for tenant in tenants:
            queue.offer([work(20, "hot", tenant=tenant, accepted=clock.now) for _ in range(30)])

    flood()
    queue.offer([cold])
    waited: list[float] = []

    def step() -> bool:
        flood()
        waited.append(clock.now)
        found = cold in queue.take(LIMITS, wait=False)
        clock.now += 0.1
        return found

    return waited, step


@pytest.mark.parametrize("tenant", ["acme", "stranger"])
def test_a_cold_work_waits_behind_resident_ones_no_longer_than_the_age_bound(tenant: str) -> None:
    cold = work(20, "cold", tenant=tenant, accepted=0.0)
    waited, step = resident_flood(cold, tenant == "acme")
    while not step():
        assert len(waited) < 20
    assert waited[-1] <= AGE_BOUND + 0.1


def test_a_young_cold_work_lets_resident_ones_go_first() -> None:
    standings: dict[str, Standing] = {"hot": "device", "cold": "ready"}
    queue = Scheduler(ROOM, standing=standings.__getitem__, clock=Clock())
    cold = [work(20, "cold", tenant=t, accepted=0.0) for t in ("one", "two")]
    hot = [work(20, "hot", tenant=t, accepted=0.0) for t in ("one", "two", "three")]
    queue.offer(cold + hot)
    limits = BatchLimits(tokens=60, models=9)
    assert set(queue.take(limits, wait=False)) == set(hot)
    assert set(queue.take(limits, wait=False)) == set(cold)


def test_preferring_resident_adapters_costs_no_tenant_its_share() -> None:
    standings: dict[str, Standing] = {"hot": "device", "cold": "ready"}
    queue = Scheduler(ROOM, standing=standings.__getitem__, clock=Clock())
    for tenant, adapter in {"one": "hot", "two": "cold"}.items():
        queue.offer([work(20, adapter, tenant=tenant, accepted=0.0) for _ in range(400)])
    served = Counter(w.model.tenant for _ in range(20) for w in queue.take(LIMITS, wait=False))
    assert served["two"] >= 0.9 * served["one"]


def test_an_adapter_that_loads_holds_up_nobody_else() -> None:
    standings: dict[str, Standing] = {"slow": "loading", "fast": "ready"}
    queue = Scheduler(ROOM, standing=standings.__getitem__, clock=Clock())
    slow = [work(20, "slow", tenant=t, accepted=0.0) for t in ("one", "two")]
    fast = [work(20, "fast", tenant=t, accepted=0.0) for t in ("one", "three")]
    queue.offer(slow + fast)
    assert queue.take(LIMITS, wait=False) == fast
    assert queue.take(LIMITS, wait=False) == []
    standings["slow"] = "ready"
    queue.wake("slow")
    assert set(queue.take(LIMITS, wait=False)) == set(slow)


def test_a_taker_that_waits_for_an_adapter_goes_on_when_it_has_loaded() -> None:
    standings: dict[str, Standing] = {"slow": "loading"}
    asked: deque[str] = deque()

    def standing(adapter: str) -> Standing:
        asked.append(adapter)
        if len(asked) == 1:
            # It stops loading between the look and the wait.
            standings["slow"] = "device"
            queue.wake()
            return "loading"
        return standings[adapter]

    queue = Scheduler(ROOM, standing=standing, clock=Clock())
    slow = work(20, "slow")
    queue.offer([slow])
    assert queue.take(LIMITS) == [slow]


def test_a_tenant_is_not_refused_for_what_another_has_waiting() -> None:
    queue = Scheduler(100, clock=Clock())
    queue.offer([work(100, tenant="flood")])
    queue.offer([work(40, tenant="quiet")])
    with pytest.raises(QueueFull):
        queue.offer([work(20, tenant="quiet")])
    with pytest.raises(QueueFull):
        queue.offer([work(1, tenant="flood")])
