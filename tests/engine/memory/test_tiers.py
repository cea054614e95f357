from __future__ import annotations

from dataclasses import replace

import torch

from engine.errors import BadInput, Damaged, Unavailable
from engine.memory.tiers import AdapterTiers
from engine.model.adapters import AdapterShape, AdapterWeights, random_adapter
from tests.engine.memory.conftest import arena_of, holds, made


class Shelf:
    """A disk tier that notes what is read from it."""

    def __init__(self, **kept: AdapterWeights) -> None:
        self.kept = kept
        self.read_names: list[str] = []

    def read(self, adapter: str) -> AdapterWeights:
        self.read_names.append(adapter)
        if adapter not in self.kept:
            raise Damaged(f"Adapter {adapter} is not usable.")
        return self.kept[adapter]


SIZE = made(0).nbytes


def _tiers(slots: int, host: int, **others: AdapterWeights) -> tuple[AdapterTiers, Shelf]:
    """Adapters a to h, a host that keeps `host` of them and a device that keeps `slots`."""
    shelf = Shelf(**{name: made(n) for n, name in enumerate("abcdefgh")}, **others)
    return AdapterTiers(shelf, arena_of(slots), host * SIZE), shelf


def _visit(tiers: AdapterTiers, *names: str) -> None:
    """A batch that comes and goes, once for each name."""
    for name in names:
        assert tiers.ensure_resident([name]).errors == {}
        tiers.release([name])


def test_the_least_recently_used_goes_first_from_the_device() -> None:
    tiers, _ = _tiers(slots=2, host=8)
    _visit(tiers, "a", "b", "a", "c")
    assert [tiers.tier(n) for n in "abcd"] == ["device", "host", "device", "disk"]


def test_the_host_keeps_what_the_device_gave_up_and_saves_a_read() -> None:
    tiers, shelf = _tiers(slots=1, host=2)
    _visit(tiers, "a", "b", "a", "b")
    assert shelf.read_names == ["a", "b"]
    _visit(tiers, "c", "a")
    assert shelf.read_names == ["a", "b", "c", "a"]


def test_an_adapter_that_cannot_be_read_fails_alone() -> None:
    tiers, shelf = _tiers(slots=3, host=3)
    residence = tiers.ensure_resident(["a", "broken", "b"])
    assert [slot is None for slot in residence.slots] == [False, True, False]
    assert list(residence.errors) == ["broken"]
    assert isinstance(residence.errors["broken"], Damaged)
    for name, slot in zip("ab", (residence.slots[0], residence.slots[2]), strict=True):
        assert slot is not None
        assert holds(tiers.arena, slot, shelf.kept[name])


def test_an_adapter_that_cannot_fit_throws_nobody_out() -> None:
    wide = random_adapter(AdapterShape(2, 4, 9), 2, torch.Generator())
    tiers, _ = _tiers(slots=2, host=8, wide=wide)
    _visit(tiers, "a", "b")
    error = tiers.ensure_resident(["wide"]).errors["wide"]
    assert isinstance(error, BadInput)
    assert [tiers.tier(n) for n in "ab"] == ["device", "device"]
    assert tiers.use()["device"].counters.evictions == 0


def test_a_batch_never_throws_out_one_of_its_own() -> None:
    tiers, _ = _tiers(slots=2, host=8)
    _visit(tiers, "a", "b")
    residence = tiers.ensure_resident(["c", "a", "b"])
    held = [n for n, slot in zip("cab", residence.slots, strict=True) if slot is not None]
    assert held == ["a", "b"]
    error = residence.errors["c"]
    assert isinstance(error, Unavailable)
    assert error.code == "arena_full"
    assert "--device-cache" in error.remedy


def test_held_adapters_stay_until_the_last_batch_lets_go() -> None:
    tiers, _ = _tiers(slots=1, host=8)
    tiers.ensure_resident(["a"])
    tiers.ensure_resident(["a"])
    tiers.release(["a"])
    assert tiers.ensure_resident(["b"]).slots == (None,)
    tiers.release(["b"])
    tiers.release(["a"])
    _visit(tiers, "b")
    assert (tiers.tier("a"), tiers.tier("b")) == ("host", "device")


def test_a_pinned_adapter_stays_until_it_is_unpinned() -> None:
    tiers, _ = _tiers(slots=2, host=2)
    _visit(tiers, "a")
    tiers.pin("a", pinned=True)
    _visit(tiers, "b", "c", "d")
    assert tiers.tier("a") == "device"
    tiers.pin("a", pinned=False)
    _visit(tiers, "b", "c")
    assert tiers.tier("a") != "device"


def test_a_pinned_adapter_keeps_its_place_on_the_host_too() -> None:
    tiers, shelf = _tiers(slots=1, host=2)
    tiers.pin("a", pinned=True)
    tiers.ensure_resident(["b"])
    assert tiers.ensure_resident(["a"]).slots == (None,)
    tiers.release(["a", "b"])
    _visit(tiers, "c", "d", "a")
    assert shelf.read_names == ["b", "a", "c", "d"]


def test_an_adapter_too_big_for_the_host_goes_through_it_and_empties_nothing() -> None:
    tiers, shelf = _tiers(slots=2, host=3, big=made(9, labels=400))
    _visit(tiers, "a", "b", "big")
    assert tiers.use()["host"].resident == 2
    assert tiers.tier("big") == "device"
    _visit(tiers, "c", "a")
    assert shelf.read_names == ["a", "b", "big", "c"]


def test_room_for_a_large_head_is_made_only_if_there_will_be_enough() -> None:
    tiers, _ = _tiers(slots=4, host=8, most=made(9, labels=4000), all=made(10, labels=4096))
    _visit(tiers, "a", "most")
    tiers.ensure_resident(["b"])
    assert "all" in tiers.ensure_resident(["all"]).errors
    assert [tiers.tier(n) for n in ("a", "most", "b")] == ["device"] * 3
    tiers.release(["b", "all"])
    _visit(tiers, "all")
    assert tiers.use()["device"].resident == 1
    assert tiers.use()["device"].counters.evictions == 3


def test_a_forgotten_adapter_leaves_at_once_or_when_the_last_batch_lets_go() -> None:
    tiers, _ = _tiers(slots=2, host=8)
    _visit(tiers, "a")
    residence = tiers.ensure_resident(["b"])
    tiers.forget("a")
    tiers.forget("b")
    assert tiers.tier("a") == "disk"
    assert tiers.tier("b") == "device"
    assert residence.slots[0] is not None
    assert holds(tiers.arena, residence.slots[0], made(1))
    tiers.release(["b"])
    assert tiers.tier("b") == "disk"
    use = tiers.use()
    assert (use["host"].resident, use["host"].bytes, use["device"].resident) == (0, 0, 0)
    tiers.forget("never seen")


def test_a_forgotten_pin_does_not_keep_a_slot() -> None:
    tiers, _ = _tiers(slots=1, host=2)
    _visit(tiers, "a")
    tiers.pin("a", pinned=True)
    tiers.forget("a")
    _visit(tiers, "b")
    assert tiers.tier("b") == "device"


def test_reading_an_adapter_moves_nothing() -> None:
    tiers, shelf = _tiers(slots=1, host=1)
    _visit(tiers, "a")
    before = tiers.use()
    assert tiers.read("a") is shelf.kept["a"]
    assert tiers.read("b") is shelf.kept["b"]
    assert tiers.use() == before


def test_counters_say_what_was_asked_moved_and_evicted() -> None:
    tiers, _ = _tiers(slots=1, host=2)
    _visit(tiers, "a", "a", "b", "a", "c")
    use = tiers.use()
    device = replace(use["device"].counters, seconds=0.0)
    host = replace(use["host"].counters, seconds=0.0)
    assert (device.hits, device.misses, device.evictions) == (1, 4, 3)
    assert device.bytes_moved == 4 * SIZE
    assert (host.hits, host.misses, host.evictions) == (1, 3, 1)
    assert host.bytes_moved == 3 * SIZE
    assert use["device"].counters.seconds > 0
    assert use["host"].budget == 2 * SIZE
    assert use["device"].bytes == use["device"].budget == tiers.arena.slot_bytes


def test_slots_say_who_is_in_them_and_why_they_stay() -> None:
    tiers, _ = _tiers(slots=3, host=8)
    _visit(tiers, "a", "b", "b")
    tiers.pin("a", pinned=True)
    tiers.ensure_resident(["b"])
    found = tiers.slots(1, 3)
    by_name = {use.adapter: use for use in found.values()}
    assert set(found) == {1, 2}
    assert (by_name["a"].pinned, by_name["a"].held) == (True, False)
    assert (by_name["b"].pinned, by_name["b"].held) == (False, True)
    assert by_name["b"].heat > by_name["a"].heat > 0
    assert tiers.slots(2, 1).keys() == {2}


def test_what_batches_use_and_requests_wait_for_is_counted_as_held_until_they_end() -> None:
    tiers, _ = _tiers(slots=3, host=3)

    def held() -> tuple[int, int]:
        return tiers.use()["device"].held, tiers.use()["host"].held

    tiers.want("a")
    tiers.want("a")
    tiers.want("broken")
    tiers.ensure_resident(["a", "b", "broken"])
    assert held() == (3, 2)
    tiers.release(["a", "b", "broken"])
    tiers.unwant("a")
    assert held() == (0, 2)
    tiers.unwant("a")
    tiers.unwant("broken")
    assert held() == (0, 0)
