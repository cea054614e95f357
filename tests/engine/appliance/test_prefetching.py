"""What the engine as a whole does with the tiers: wants, errors of the disk, events and counts."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from engine.appliance import Appliance
from engine.appliance.swaps import SwapNews
from engine.errors import QueueFull, Unavailable
from engine.memory.tiers import AdapterTiers
from engine.schema import ClassifyRequest
from engine.serving import pipeline
from engine.serving.stages import compute_stage
from engine.telemetry.events import EventLog
from tests.engine.appliance.small import classify, core_of, make_vplm, probs, until
from tests.engine.memory.conftest import arena_of, made
from tests.engine.memory.readers import Disk


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Until it is set, no batch is computed."""
    opened = threading.Event()

    def compute(*arguments: object) -> list[list[float]]:
        assert opened.wait(20)
        return compute_stage(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(pipeline, "compute_stage", compute)
    yield opened
    opened.set()


async def test_an_adapter_is_read_while_its_request_still_waits(
    in_turn: Appliance, gate: threading.Event
) -> None:
    appliance = in_turn
    busy, cold = make_vplm(appliance, "acme/busy"), make_vplm(appliance, "acme/cold")
    tiers = core_of(appliance).tiers
    first = asyncio.ensure_future(
        appliance.classify(ClassifyRequest(model="acme/busy", input="a good film"))
    )
    await asyncio.to_thread(until, lambda: tiers.tier(busy.adapter) == "device", "under way")
    second = asyncio.ensure_future(
        appliance.classify(ClassifyRequest(model="acme/cold", input="a good film"))
    )
    await asyncio.to_thread(until, lambda: tiers.tier(cold.adapter) == "host", "read ahead")
    gate.set()
    assert (await second).timing.tier == "disk"
    await first
    host = appliance.status().tiers["host"]
    assert (host.prefetched, host.prefetched_used, host.misses, host.waiting) == (2, 2, 2, 0)
    assert b'hmi_tier_prefetched_used_total{tier="host"} 2.0' in appliance.render_metrics()


async def test_however_a_request_ends_its_adapter_is_wanted_no_more(
    in_turn: Appliance, gate: threading.Event
) -> None:
    appliance = in_turn
    make_vplm(appliance, "acme/a")
    core = core_of(appliance)
    core.queue.limit_tokens = 20
    request = ClassifyRequest(model="acme/a", input=["a good film"] * 4)
    answered = asyncio.ensure_future(appliance.classify(request))
    await asyncio.to_thread(until, lambda: len(core.tiers._held) == 1, "under way")
    given_up = asyncio.ensure_future(appliance.classify(request))
    await asyncio.to_thread(until, lambda: core.queue.size()[0] == 4, "waiting")
    with pytest.raises(QueueFull):
        await appliance.classify(request)
    assert len(core.tiers._claims._wants) == 1
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    gate.set()
    await answered
    assert not core.tiers._claims._wants


def test_a_file_that_cannot_be_read_now_is_read_at_the_next_request(appliance: Appliance) -> None:
    lost, other = make_vplm(appliance, "acme/lost"), make_vplm(appliance, "acme/other")
    expected = probs(appliance, "acme/lost")
    core_of(appliance).tiers.forget(lost.adapter)
    path = appliance.adapter_file(lost.adapter)
    aside = path.rename(path.with_suffix(".aside"))
    path.mkdir()
    with pytest.raises(Unavailable, match=lost.adapter) as failed:
        classify(appliance, "acme/lost", "a good film")
    assert failed.value.code == "adapter_unreadable"
    assert other.adapter != lost.adapter
    classify(appliance, "acme/other", "a good film")
    path.rmdir()
    aside.rename(path)
    assert probs(appliance, "acme/lost") == expected


def test_swaps_are_told_together_and_not_too_often(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("engine.appliance.swaps.time.monotonic", lambda: now)
    adapters = {name: made(n) for n, name in enumerate("abcd")}
    size = adapters["a"].nbytes
    tiers = AdapterTiers(Disk(adapters), arena_of(1), 4 * size)
    events = EventLog(first_id=1)
    swaps = SwapNews(tiers, events)
    swaps.tell()
    for name in "abc":
        tiers.ensure_resident([name])
        tiers.release([name])
        swaps.tell()
        swaps.tell()
    now += 1.0
    swaps.tell()
    swaps.tell()
    one = {"loaded": 1, "evicted": 0, "bytes": size}
    two = {"loaded": 2, "evicted": 0, "bytes": 2 * size}
    assert [event.type for event in events.since(0)] == ["swap", "swap"]
    assert [event.data for event in events.since(0)] == [
        {"host": one, "device": one},
        {"host": two, "device": two | {"evicted": 2}},
    ]
