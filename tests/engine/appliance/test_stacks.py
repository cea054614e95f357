"""How backbones beside the engine's own come and go, and what is told of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from engine.appliance import Appliance
from engine.appliance.serving_stack import ServingStack
from engine.config import Settings
from engine.errors import Conflict, HmiError, NotFound, NotLoaded, Unavailable
from engine.schema import StarterPublish, VplmPatch
from tests.engine.appliance.several import import_as, mixed, twin_checkpoint, wide_checkpoint
from tests.engine.appliance.small import (
    TEXTS,
    core_of,
    make_tenant,
    make_vplm,
    opened,
    probs,
    same,
    tolerance_of,
    until,
)

__all__ = ["mixed", "twin_checkpoint", "wide_checkpoint"]


def state(appliance: Appliance, id: str) -> str:
    return appliance.backbone(id).state


class Held:
    """Loading that waits until it is told to go on, and then may fail."""

    def __init__(self, appliance: Appliance, monkeypatch: pytest.MonkeyPatch) -> None:
        self.began, self.go_on = threading.Event(), threading.Event()
        self.fault: Exception | None = None
        keeper = core_of(appliance).backbones._keeper
        load = keeper._upkeep.load

        def slow(sha256: str, phase: Callable[[str], None]) -> ServingStack:
            self.began.set()
            assert self.go_on.wait(20)
            if self.fault is not None:
                raise self.fault
            return load(sha256, phase)

        monkeypatch.setattr(keeper, "_upkeep", replace(keeper._upkeep, load=slow))


def test_memory_and_use_are_told_of_each(mixed: Appliance) -> None:
    make_vplm(mixed, "acme/wide", backbone="wide")
    probs(mixed, "acme/wide")
    status = mixed.status()
    own, wide = status.backbones
    assert (own.own, wide.own, wide.id, wide.vplms) == (True, False, "wide:1", 1)
    assert wide.fallback is not None
    assert status.host.by_owner["backbone wide:1"] == sum(wide.by_owner.values())
    assert mixed.backbone("wide").memory_bytes == sum(wide.by_owner.values())
    assert wide.by_owner["adapter slots"] < own.by_owner["adapter slots"]
    text = mixed.render_metrics().decode()
    assert 'hmi_backbone_bytes{backbone="wide:1",owner="adapter_slots"}' in text
    before = status.tiers["device"]
    core_of(mixed).backbones.drop(mixed.backbone("wide").sha256)
    after = mixed.status().tiers["device"]
    # What was counted stays counted when what did it is gone.
    assert after.misses == before.misses > 0
    assert after.budget_bytes is not None
    assert before.budget_bytes is not None
    assert after.budget_bytes < before.budget_bytes


def test_one_in_use_is_not_removed_and_an_unused_one_goes_from_memory(mixed: Appliance) -> None:
    make_vplm(mixed, "acme/wide", backbone="wide")
    probs(mixed, "acme/wide")
    with pytest.raises(Conflict, match="1 vPLMs have adapters"):
        mixed.remove_backbone("wide")
    starter = mixed.publish_starter(StarterPublish(vplm="acme/wide", name="start"))
    mixed.remove_vplm("acme/wide")
    with pytest.raises(Conflict, match="1 starting points"):
        mixed.remove_backbone("wide")
    mixed.remove_starter(starter.id)
    mixed.remove_backbone("wide")
    assert [each.own for each in mixed.status().backbones] == [True]
    with pytest.raises(NotFound):
        mixed.backbone("wide")


def test_a_request_waits_for_its_backbone_while_others_are_answered(
    mixed: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_vplm(mixed, "acme/wide", backbone="wide")
    make_vplm(mixed, "acme/own")
    held = Held(mixed, monkeypatch)
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(probs, mixed, "acme/wide")
        assert held.began.wait(20)
        assert state(mixed, "wide") == "loading"
        assert len(probs(mixed, "acme/own")) == len(TEXTS)
        assert not asked.done()
        with pytest.raises(Conflict, match="is being loaded"):
            core_of(mixed).backbones.drop(mixed.backbone("wide").sha256)
        held.go_on.set()
        assert len(asked.result(20)) == len(TEXTS)


def test_who_has_waited_long_enough_is_told_when_to_come_again(
    mixed: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_vplm(mixed, "acme/wide", backbone="wide")
    held = Held(mixed, monkeypatch)
    core_of(mixed).backbones.patience_s = 0.05
    with pytest.raises(NotLoaded, match='Backbone "wide:1" is being loaded') as late:
        probs(mixed, "acme/wide")
    assert (late.value.status, late.value.code) == (503, "backbone_loading")
    assert late.value.retry_after > 0
    held.go_on.set()
    until(lambda: state(mixed, "wide") == "loaded", "loading wide")
    assert len(probs(mixed, "acme/wide")) == len(TEXTS)


def test_what_cannot_be_loaded_says_why_and_hurts_nobody_else(
    mixed: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_vplm(mixed, "acme/wide", backbone="wide")
    make_vplm(mixed, "acme/own")
    (Path(mixed.backbone("wide").folder) / "config.json").write_text("{}")
    with pytest.raises(Exception, match=r"config\.json"):
        probs(mixed, "acme/wide")
    assert state(mixed, "wide") == "unloaded"
    assert len(probs(mixed, "acme/own")) == len(TEXTS)
    make_vplm(mixed, "acme/twin", backbone="twin")
    held = Held(mixed, monkeypatch)
    held.fault = MemoryError("no memory")
    held.go_on.set()
    for _ in range(2):
        with pytest.raises(Unavailable, match='"twin:1" cannot be loaded: no memory'):
            probs(mixed, "acme/twin")


def test_there_is_room_for_so_many_and_who_was_not_asked_for_long_makes_it(
    settings: Settings, wide_checkpoint: Path, twin_checkpoint: Path
) -> None:
    with opened(replace(settings, further_backbones=1)) as engine:
        make_tenant(engine)
        for folder, name in ((wide_checkpoint, "wide"), (twin_checkpoint, "twin")):
            import_as(engine, folder, name)
            make_vplm(engine, f"acme/{name}", backbone=name)
        probs(engine, "acme/wide")
        with pytest.raises(NotLoaded, match='Backbone "twin:1" has no room') as full:
            probs(engine, "acme/twin")
        assert full.value.code == "backbones_full"
        core_of(engine).backbones.room.stay_s = 0.0
        probs(engine, "acme/twin")
        assert (state(engine, "wide"), state(engine, "twin")) == ("unloaded", "loaded")
        # Its vPLM is pinned: it is to stay in memory, and so is what it rests on.
        engine.change_vplm("acme/twin", VplmPatch(pin=True))
        with pytest.raises(NotLoaded):
            probs(engine, "acme/wide")


def test_one_that_nobody_asks_for_is_let_go_of(settings: Settings, twin_checkpoint: Path) -> None:
    with opened(replace(settings, further_idle_s=0.05)) as engine:
        make_tenant(engine)
        import_as(engine, twin_checkpoint, "twin")
        make_vplm(engine, "acme/twin", backbone="twin")
        wanted = probs(engine, "acme/twin")
        until(lambda: state(engine, "twin") == "unloaded", "letting go of twin")
        assert len(engine.status().backbones) == 1
        assert same(probs(engine, "acme/twin"), wanted, tolerance_of(engine))


def test_an_engine_may_load_none_beside_its_own(settings: Settings, twin_checkpoint: Path) -> None:
    with opened(replace(settings, further_backbones=0)) as engine:
        make_tenant(engine)
        import_as(engine, twin_checkpoint, "twin")
        make_vplm(engine, "acme/twin", backbone="twin")
        with pytest.raises(Unavailable, match="loads none beside its own") as refused:
            probs(engine, "acme/twin")
        assert "--further-backbones" in refused.value.remedy


def test_an_engine_that_stops_lets_those_go_who_wait_for_a_backbone(
    settings: Settings, twin_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(settings) as engine:
        make_tenant(engine)
        import_as(engine, twin_checkpoint, "twin")
        make_vplm(engine, "acme/twin", backbone="twin")
        held = Held(engine, monkeypatch)
        with ThreadPoolExecutor(1) as threads:
            asked = threads.submit(probs, engine, "acme/twin")
            assert held.began.wait(20)
            engine.refuse_waiting()
            with pytest.raises(HmiError, match="stopping"):
                asked.result(20)
        held.go_on.set()
