"""Room in an arena whose slots earlier batches hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.memory.tiers import AdapterTiers, Residence
from engine.serving.batch import Batch, Group
from engine.serving.room import Room
from tests.engine.memory.conftest import arena_of, made
from tests.engine.memory.readers import Disk
from tests.engine.serving.works import work


def batch_of(number: int, *adapters: str) -> Batch:
    return Batch(number, [Group([work(2, adapter=a) for a in adapters], None)], 0.0)


def _nothing() -> None: ...


class Tiers(AdapterTiers):
    """With room for one; `after_full` happens right after an attempt that found no room."""

    def __init__(self) -> None:
        kept = {f"adapter-{i}": made(i) for i in range(3)}
        super().__init__(Disk(kept), arena_of(1), 10 * made(0).nbytes)
        self.after_full: Callable[[], None] = _nothing

    def ensure_resident(self, adapters: Sequence[str]) -> Residence:
        found = super().ensure_resident(adapters)
        if found.errors:
            after, self.after_full = self.after_full, _nothing
            after()
        return found


def test_a_slot_that_was_freed_since_the_look_is_not_missed() -> None:
    tiers = Tiers()
    room = Room(tiers)
    first, second = batch_of(1, "adapter-1"), batch_of(2, "adapter-2")
    room.make(first)
    assert first.errors == {}
    tiers.after_full = lambda: room.release(first)
    room.make(second)
    assert second.errors == {}
    assert set(second.slots) == {"adapter-2"}


def test_what_finds_no_room_beside_its_own_batch_comes_back_and_is_not_held() -> None:
    tiers = Tiers()
    room = Room(tiers)
    batch = batch_of(1, "adapter-1", "adapter-2")
    (crowded,) = room.make(batch)
    (held,) = batch.slots
    assert {crowded, held} == {"adapter-1", "adapter-2"}
    rest = batch.split_off([crowded], 2)
    assert (batch.adapters, rest.adapters) == ([held], [crowded])
    assert batch.errors == {}
    room.release(batch)
    assert room.make(rest) == []
    assert set(rest.slots) == {crowded}
    room.release(rest)
    assert tiers.ensure_resident(["adapter-0"]).errors == {}, "nothing is held any more"
