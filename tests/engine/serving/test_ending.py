"""Requests that end early: the client goes, the engine stops, a stage fails."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

import engine.serving.pipeline as pipeline
from engine.appliance import Appliance
from engine.config import Settings
from engine.errors import HmiError, QueueFull, Unavailable
from engine.schema import ClassifyRequest
from engine.serving.stages import compute_stage
from tests.engine.appliance.small import (
    TEXTS,
    classify,
    core_of,
    make_domain,
    make_tenant,
    make_vplm,
    opened,
    probs,
    tickets,
    until,
)


class Gate:
    """Holds every batch at its compute stage until opened."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()

    def compute(self, *arguments: object) -> list[list[float]]:
        self.reached.set()
        assert self.opened.wait(20)
        return compute_stage(*arguments)  # type: ignore[arg-type]


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    made = Gate()
    monkeypatch.setattr(pipeline, "compute_stage", made.compute)
    yield made
    made.opened.set()


def test_stopping_answers_the_batch_under_way_and_refuses_what_waits(
    settings: Settings, gate: Gate
) -> None:
    with opened(replace(settings, pipeline="off")) as appliance:
        make_tenant(appliance)
        make_vplm(appliance)
        (under_way,) = tickets(appliance, [("acme/a", "plot", TEXTS)])
        assert gate.reached.wait(20)
        waiting = tickets(appliance, [("acme/a", "plot", TEXTS), ("acme/a", "exact", TEXTS)])
        core = core_of(appliance)
        stopping = threading.Thread(target=core.stack.pipeline.stop)
        stopping.start()
        for ticket in waiting:
            with pytest.raises(Unavailable, match="stopping"):
                ticket.future.result(20)
        gate.opened.set()
        stopping.join(20)
        assert len(under_way.future.result(20)) == len(TEXTS)
        with pytest.raises(Unavailable, match="stopping"):
            classify(appliance, "acme/a", "a good film")


@pytest.fixture
def in_turn(settings: Settings) -> Iterator[Appliance]:
    """An engine that takes nothing from its queue while a batch is computed."""
    with opened(replace(settings, pipeline="off")) as engine:
        make_tenant(engine)
        yield engine


async def test_a_cancelled_client_frees_its_place(in_turn: Appliance, gate: Gate) -> None:
    appliance = in_turn
    make_vplm(appliance)
    core = core_of(appliance)
    core.queue.limit_tokens = 20
    request = ClassifyRequest(model="acme/a", input=["a good film"] * 4)
    first = asyncio.ensure_future(appliance.classify(request))
    await asyncio.to_thread(gate.reached.wait, 20)
    second = asyncio.ensure_future(appliance.classify(request))
    await asyncio.to_thread(until, lambda: core.queue.size()[0] == 4, "waiting")
    with pytest.raises(QueueFull) as full:
        await appliance.classify(request)
    assert full.value.retry_after >= 1
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    third = asyncio.ensure_future(appliance.classify(request))
    await asyncio.to_thread(until, lambda: core.queue.size()[0] == 4, "the new one waiting")
    gate.opened.set()
    assert len((await first).data) == len((await third).data) == 4
    assert core.queue.size() == (0, 0)
    assert core.totals["errors"] == 1


def test_a_batch_that_breaks_fails_its_own_requests_and_the_next_is_served(
    appliance: Appliance, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    make_vplm(appliance)
    expected = probs(appliance, "acme/a")

    def broken(*_: object) -> list[list[float]]:
        raise RuntimeError("a kernel fell over")

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "compute_stage", broken)
        with pytest.raises(HmiError, match="a kernel fell over") as failed:
            classify(appliance, "acme/a", "a good film")
    assert failed.value.code == "internal"
    assert "hmi logs" in failed.value.remedy
    assert probs(appliance, "acme/a") == expected
    assert not core_of(appliance).tiers._held


def test_a_request_follows_its_vplm_when_the_domain_goes_while_it_waits(
    in_turn: Appliance, gate: Gate
) -> None:
    appliance = in_turn
    make_domain(appliance, "reviews")
    make_vplm(appliance, "acme/here")
    make_vplm(appliance, "acme/there", domain="reviews")

    async def ask() -> list[list[float]]:
        first = asyncio.ensure_future(
            appliance.classify(ClassifyRequest(model="acme/here", input="dull"))
        )
        await asyncio.to_thread(gate.reached.wait, 20)
        second = asyncio.ensure_future(
            appliance.classify(ClassifyRequest(model="acme/there", input=list(TEXTS)))
        )
        await asyncio.to_thread(
            until, lambda: core_of(appliance).queue.size()[0] == len(TEXTS), "waiting"
        )
        await asyncio.to_thread(appliance.remove_domain, "reviews")
        gate.opened.set()
        await first
        return [row.probs for row in (await second).data]

    got = asyncio.run(ask())
    assert got == probs(appliance, "acme/there")
    assert appliance.vplm("acme/there").domain == "general"


@pytest.mark.parametrize("side", ["on", "off"])
def test_a_scheduler_that_fails_leaves_nobody_waiting(
    settings: Settings, side: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(replace(settings, pipeline=side)) as appliance:
        make_tenant(appliance)
        make_vplm(appliance)
        core = core_of(appliance)

        def broken(*_: object) -> None:
            raise RuntimeError("a turn was lost")

        monkeypatch.setattr(core.queue._waiting, "fill", broken)
        (ticket,) = tickets(appliance, [("acme/a", "plot", TEXTS)])
        with pytest.raises(HmiError, match="a turn was lost"):
            ticket.future.result(20)
        with pytest.raises(Unavailable, match="stopping"):
            classify(appliance, "acme/a", "a good film")
    assert "the scheduler failed" in caplog.text


def test_what_cannot_be_counted_is_answered_all_the_same(
    appliance: Appliance, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    make_vplm(appliance)
    expected = probs(appliance, "acme/a")

    def broken(_: object) -> None:
        raise RuntimeError("no room for a number")

    monkeypatch.setattr(core_of(appliance).stack.pipeline, "_on_batch", broken)
    assert probs(appliance, "acme/a") == expected
    assert "was not counted" in caplog.text
