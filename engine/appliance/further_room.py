"""Room for backbones beside the engine's own: which are there, on their way or leaving, and who
holds them.

So many at most; one that nobody has asked for long goes, and one makes room for another unless it
is used, was asked lately or is to stay. What is held is never let go of.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from engine.appliance.further_backbone import Further, Upkeep
from engine.appliance.serving_stack import ServingStack
from engine.errors import Conflict, HmiError, NotLoaded, Unavailable
from engine.memory.counters import TierCounters, TierName, TierUse
from engine.process import without_frames
from store.errors import StoreError

STAY_S = 10.0
"""One that was asked so lately makes room for no other, or two that take turns would only load."""
_AGAIN_S = 30.0
"""What could not be loaded is not tried again sooner."""
_COME_AGAIN_S = 5.0
_NAMES: tuple[TierName, ...] = ("host", "device")


class FurtherRoom:
    """Thread-safe."""

    def __init__(self, upkeep: Upkeep, keep: Callable[[], None]) -> None:
        """`keep` is called, with the lock held, whenever one is wanted."""
        self.stay_s = STAY_S
        self._upkeep, self._keep = upkeep, keep
        self._there: dict[str, Further] = {}
        self._failed: dict[str, tuple[float, Exception]] = {}
        self._wanted: deque[Further] = deque()
        self._leaving: deque[Further] = deque()
        """Whom the keeper is to close."""
        self._ending: list[Further] = []
        """Whom nobody finds any more, until they are closed."""
        self._gone: dict[TierName, TierCounters] = dict.fromkeys(_NAMES, TierCounters())
        """What the tiers of those had done that are there no more: counts never fall."""
        self._closed = False
        self._changed = threading.Condition()

    @property
    def closed(self) -> bool:
        """The engine is stopping: nothing is loaded any more."""
        return self._closed

    def find(self, sha256: str) -> Further | None:
        """That backbone, loaded or on its way."""
        return self._there.get(sha256)

    def all(self) -> list[Further]:
        with self._changed:
            return list(self._there.values())

    def uses(self) -> tuple[list[dict[TierName, TierUse]], dict[TierName, TierCounters]]:
        """What the tiers of all hold, those included that are on their way out, and what the tiers
        of those had done that are gone."""
        with self._changed:
            there = [*self._there.values(), *self._ending]
            uses = [each.stack.tiers.use() for each in there if each.stack is not None]
            return uses, dict(self._gone)

    def enter(self, sha256: str, most_waiting: int | None = None) -> ServingStack | Further:
        """Hold it until `leave`, or wait for it until `waited`: it is on its way.

        NotLoaded if there is no room or too many wait, Unavailable if the engine stops, and what
        stood in the way lately.
        """
        with self._changed:
            if self._closed:
                raise stopping()
            further = self._there.get(sha256)
            if further is None:
                further = self._begin(sha256)
            if further.stack is not None:
                further.users += 1
                return further.stack
            if most_waiting is not None and further.waiting >= most_waiting:
                raise self.late(sha256)
            further.waiting += 1
            return further

    def leave(self, sha256: str) -> None:
        with self._changed:
            further = self._there.get(sha256)
            if further is not None:
                further.users -= 1
                further.used_at = time.monotonic()

    def waited(self, further: Further) -> None:
        with self._changed:
            further.waiting -= 1

    def late(self, sha256: str) -> NotLoaded:
        return NotLoaded(
            f'Backbone "{self._upkeep.name(sha256)}" is being loaded.',
            retry_after=_COME_AGAIN_S,
            remedy=f"Ask again in {_COME_AGAIN_S:.0f} s; hmi backbone ls says when it is there.",
        )

    def take_out(self, sha256: str) -> Further | None:
        """From now on nobody finds it; None if it is not there. Conflict while it is used or
        loaded."""
        with self._changed:
            further = self._there.get(sha256)
            if further is None:
                return None
            if further.stack is None or further.users:
                what = "is being loaded" if further.stack is None else "is being used"
                raise Conflict(
                    f'Backbone "{self._upkeep.name(sha256)}" {what}.',
                    remedy="Wait until it is not.",
                )
            self._take_out(further)
            return further

    def clear(self) -> list[Further]:
        """Take out all that are loaded."""
        with self._changed:
            there = [each for each in self._there.values() if each.stack is not None]
            for each in there:
                self._take_out(each)
            return there

    def end(self) -> None:
        """Load nothing any more; who waits for that hears that the engine stops."""
        with self._changed:
            self._closed = True
            for further in self._there.values():
                further.over()
            self._changed.notify_all()

    def next(self) -> tuple[Further | None, Further | None] | None:
        """Who is to be closed, or else who is to be loaded; waits for one. None at the end."""
        while True:
            with self._changed:
                self._retire()
                if not (self._closed or self._leaving or self._wanted):
                    self._changed.wait(min(self._upkeep.idle_s, _COME_AGAIN_S))
                    continue
                # Who leaves first: the newcomer needs the memory.
                if self._leaving:
                    return self._leaving.popleft(), None
                return None if self._closed else (None, self._wanted.popleft())

    def loaded(self, further: Further, stack: ServingStack) -> bool:
        """It serves from now on; False if the engine is stopping, and it is taken out again."""
        with self._changed:
            further.stack, further.used_at = stack, time.monotonic()
            self._failed.pop(further.sha256, None)
            if self._closed:
                self._take_out(further)
            return not self._closed

    def failed(self, further: Further, error: Exception) -> None:
        with self._changed:
            self._there.pop(further.sha256, None)
            told = _told(self._upkeep.name(further.sha256), error)
            self._failed[further.sha256] = time.monotonic() + _AGAIN_S, told

    def over(self, further: Further) -> None:
        """Its loading has ended, one way or the other."""
        with self._changed:
            further.over()

    def closed_down(self, further: Further, stack: ServingStack) -> None:
        """It is there no more; what it had done still counts."""
        with self._changed:
            use = stack.tiers.use()
            self._gone = {name: self._gone[name].and_(use[name].counters) for name in _NAMES}
            self._ending.remove(further)
            further.stack = None

    def _begin(self, sha256: str) -> Further:
        self._upkeep.check(sha256)
        until, why = self._failed.get(sha256, (0.0, None))
        if why is not None and time.monotonic() < until:
            raise without_frames(why)
        name, most = self._upkeep.name(sha256), self._upkeep.most
        if most == 0:
            raise Unavailable(
                f'It needs backbone "{name}", and this engine loads none beside its own.',
                remedy="Start it with --further-backbones 1 or more.",
                code="backbone_missing",
            )
        if len(self._there) >= most:
            self._make_room(name)
        further = self._there[sha256] = Further(sha256)
        self._wanted.append(further)
        self._keep()
        self._changed.notify_all()
        return further

    def _make_room(self, name: str) -> None:
        """Take out who was asked for longest ago. NotLoaded if all are used or were lately."""
        before = time.monotonic() - self.stay_s
        free = [each for each in self._there.values() if self._free(each, before)]
        if not free:
            raise NotLoaded(
                f'Backbone "{name}" has no room: {len(self._there)} others are loaded beside '
                "the engine's own, and used.",
                retry_after=_COME_AGAIN_S,
                remedy="Ask again in a while, or start the engine with more --further-backbones.",
                code="backbones_full",
            )
        oldest = min(free, key=lambda each: each.used_at)
        self._take_out(oldest)
        self._leaving.append(oldest)

    def _take_out(self, further: Further) -> None:
        """From now on nobody finds it."""
        del self._there[further.sha256]
        self._ending.append(further)

    def _free(self, further: Further, before: float) -> bool:
        unused = further.stack is not None and not further.users and further.used_at <= before
        return unused and not self._upkeep.kept(further.sha256)

    def _retire(self) -> None:
        """Take out who was not asked for long."""
        before = time.monotonic() - self._upkeep.idle_s
        for each in [each for each in self._there.values() if self._free(each, before)]:
            self._take_out(each)
            self._leaving.append(each)


def stopping() -> Unavailable:
    return Unavailable("The engine is stopping.", remedy="Ask again once it is back.")


def _told(name: str, error: Exception) -> Exception:
    if isinstance(error, HmiError | StoreError):
        return without_frames(error)
    return Unavailable(
        f'Backbone "{name}" cannot be loaded: {error}.',
        remedy="The engine's log has the details; is there enough memory?",
        code="backbone_missing",
    )
