"""A table that has been replaced goes when the last batch that used it is over, whatever happened.

Its files stay open until then. The collector is off: it might find what is left, but much later.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from dataclasses import replace

import pytest

from engine.appliance import Appliance
from engine.config import Settings
from engine.errors import HmiError
from engine.knowledge.view import TableView
from engine.schema import RebuildRequest, VplmPatch
from store.errors import StoreError
from tests.engine.appliance.small import (
    classify,
    core_of,
    ended,
    make_domain,
    make_tenant,
    make_vplm,
    opened,
    tickets,
    until,
)


@pytest.fixture
def collector_off() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def replaced(appliance: Appliance) -> bool:
    """Rebuild reviews; whether the view before is gone."""
    view: weakref.ref[TableView] = weakref.ref(core_of(appliance).tree.take("reviews").view)
    job = ended(appliance, appliance.rebuild_domain("reviews", RebuildRequest(alpha=0.4)).id)
    assert job.state == "succeeded"
    # A thread of the pipeline keeps its last batch until it gets another.
    classify(appliance, "acme/a", "a good film")
    until(lambda: core_of(appliance).tiers.use()["device"].held == 0, "the end of all batches")
    return view() is None


def furnish(appliance: Appliance) -> None:
    make_domain(appliance, "reviews")
    for name in "abc":
        make_vplm(appliance, f"acme/{name}", domain="reviews")


def test_after_an_answer(appliance: Appliance, collector_off: None) -> None:
    furnish(appliance)
    classify(appliance, "acme/a", "a good film")
    assert replaced(appliance)


@pytest.mark.parametrize("vanished", [False, True], ids=["damaged", "vanished"])
def test_after_an_adapter_could_not_be_loaded(
    appliance: Appliance, collector_off: None, vanished: bool
) -> None:
    furnish(appliance)
    path = core_of(appliance).blobs.path(appliance.vplm("acme/b").adapter)
    if vanished:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1])
    for _ in range(3):
        with pytest.raises((HmiError, StoreError), match=path.name):
            classify(appliance, "acme/b", "a good film")
    assert replaced(appliance)


def test_after_an_adapter_found_no_room(settings: Settings, collector_off: None) -> None:
    with opened(settings) as probe:
        one = core_of(probe).tiers.arena.slot_bytes
    with opened(replace(settings, device_cache=2 * one)) as appliance:
        make_tenant(appliance)
        furnish(appliance)
        for name in "ab":
            classify(appliance, f"acme/{name}", "a good film")
            appliance.change_vplm(f"acme/{name}", VplmPatch(pin=True))
        with pytest.raises(HmiError, match="in use or pinned"):
            classify(appliance, "acme/c", "a good film")
        assert replaced(appliance)


def test_after_another_domain_of_the_batch_was_found_damaged(
    appliance: Appliance, collector_off: None
) -> None:
    furnish(appliance)
    make_domain(appliance, "films")
    make_vplm(appliance, "acme/film", domain="films")
    core_of(appliance).tree.condemn("films", 1, "it is not what it was.")
    good, bad = tickets(
        appliance, [("acme/a", "plot", ["a good film"]), ("acme/film", "plot", ["dull"])]
    )
    good.future.result(20)
    with pytest.raises(HmiError, match="not what it was"):
        bad.future.result(20)
    assert replaced(appliance)
