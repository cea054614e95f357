"""An engine whose compute loop hangs is noticed by who watches the loop, and says so everywhere."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from engine.appliance import Appliance
from engine.appliance.watchdog import Watchdog
from engine.config import Settings
from engine.serving.pulse import Pulse
from engine.serving.stages import compute_stage
from tests.engine.appliance.small import classify, core_of, make_tenant, make_vplm, opened, until


class Loop:
    """What a watchdog is told of a loop, to be set by a test."""

    def __init__(self) -> None:
        self.pulse = Pulse()
        self.waiting = 0
        self.dead: list[str] = []
        self.beats = 0
        self.hung: list[str] = []

    def watchdog(self, limit_s: float) -> Watchdog:
        return Watchdog(
            self.pulse,
            lambda: self.waiting,
            lambda: self.dead,
            limit_s,
            self._beat,
            self.hung.append,
            poll_s=0.01,
        )

    def _beat(self) -> None:
        self.beats += 1


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def run() -> Iterator[Callable[[Watchdog], Watchdog]]:
    started: list[Watchdog] = []

    def start(watchdog: Watchdog) -> Watchdog:
        watchdog.start()
        started.append(watchdog)
        return watchdog

    yield start
    for watchdog in started:
        watchdog.stop()


def test_a_loop_that_works_beats_and_is_left_alone(
    loop: Loop, run: Callable[[Watchdog], Watchdog]
) -> None:
    run(loop.watchdog(60))
    with loop.pulse.busy("compute"):
        until(lambda: loop.beats > 3, "beats")
    assert loop.hung == []


def test_a_batch_that_never_ends_is_named_with_its_stage_and_where_it_is(
    loop: Loop, run: Callable[[Watchdog], Watchdog], caplog: pytest.LogCaptureFixture
) -> None:
    stuck = threading.Event()

    def the_kernel_that_hangs() -> None:
        with loop.pulse.busy("compute"):
            stuck.wait(20)

    thread = threading.Thread(target=the_kernel_that_hangs)
    thread.start()
    with caplog.at_level(logging.CRITICAL):
        run(loop.watchdog(0.05))
        until(lambda: bool(loop.hung), "the watchdog's word")
    beats = loop.beats
    stuck.set()
    thread.join(20)
    assert "in the stage compute" in loop.hung[0]
    assert "the_kernel_that_hangs" in caplog.text
    # It has said so once, and beats no more.
    assert (len(loop.hung), loop.beats) == (1, beats)


def test_texts_that_wait_while_no_batch_is_taken_are_a_hang(
    loop: Loop, run: Callable[[Watchdog], Watchdog]
) -> None:
    loop.waiting = 3
    run(loop.watchdog(0.05))
    until(lambda: bool(loop.hung), "the watchdog's word")
    assert "texts wait" in loop.hung[0]


def test_texts_that_wait_while_others_are_answered_are_none(loop: Loop) -> None:
    loop.waiting = 3
    watchdog = loop.watchdog(0.05)
    for _ in range(20):
        with loop.pulse.busy("compute"):
            pass
        assert watchdog.look() is None


def test_a_process_that_stood_still_is_not_taken_for_one_that_hangs(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    watchdog = loop.watchdog(60)
    loop.waiting = 3
    with loop.pulse.busy("compute"):
        assert watchdog.look() is None
        now += 3600
        assert watchdog.look() is None
        for _ in range(6001):
            now += 0.0099
            assert watchdog.look() is None
        for _ in range(100):
            now += 0.0099
            if (why := watchdog.look()) is not None:
                break
        assert "in the stage compute" in str(why)


def test_a_thread_that_ended_is_a_hang(loop: Loop) -> None:
    loop.dead = ["compute-3"]
    assert "compute-3" in str(loop.watchdog(60).look())


def test_an_engine_whose_compute_hangs_is_not_ready_and_tells_its_supervisor(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.appliance.watchdog.POLL_S", 0.05)
    hang, over = threading.Event(), threading.Event()
    told: list[str] = []

    def hanging(*arguments: object) -> object:
        if hang.is_set():
            over.wait(20)
        return compute_stage(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("engine.serving.pipeline.compute_stage", hanging)
    with opened(settings) as appliance:
        appliance.on_hung = told.append
        make_tenant(appliance)
        make_vplm(appliance, "acme/a")
        assert classify(appliance, "acme/a", "a good film").data
        hang.set()
        asking = threading.Thread(target=classify, args=(appliance, "acme/a", "a good film"))
        asking.start()
        pulse = core_of(appliance).stack.pipeline.pulse
        until(lambda: (busy := pulse.longest()) is not None and busy.stage == "compute", "hanging")
        assert appliance._watchdog is not None
        appliance._watchdog._limit = 0.1
        until(lambda: not appliance.ready, "the end of readiness")
        assert "in the stage compute" in appliance.reasons[0]
        until(lambda: bool(told), "word to the supervisor")
        over.set()
        asking.join(20)


def test_an_engine_that_stops_is_not_taken_for_one_that_hangs(settings: Settings) -> None:
    told: list[str] = []
    appliance = Appliance(replace(settings, watchdog_s=0.5))
    appliance.on_hung = told.append
    appliance.start()
    appliance.refuse_waiting()
    until(lambda: bool(core_of(appliance).stack.pipeline.dead()), "the end of the stages")
    assert appliance.ready
    appliance.close()
    assert told == []
