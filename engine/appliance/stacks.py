"""The backbones that serve, each with all that is its own, by the sha256 of its weights.

The engine's own is loaded at its start and stays. Others are loaded beside it when a vPLM that has
one is first asked, so many of them at most, and let go of when nobody has asked for long or another
needs the room. Whoever uses one holds it meanwhile; what is held is never let go of.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field

from engine.appliance.serving_stack import ServingStack
from engine.errors import Conflict, HmiError, NotLoaded, Unavailable
from engine.memory.counters import TierCounters, TierName, TierUse
from engine.memory.heap import give_back
from engine.process import without_frames
from store.errors import StoreError

log = logging.getLogger(__name__)

PATIENCE_S = 20.0
"""A request waits so long for its backbone to be loaded, then it is told to come again."""
JOB_PATIENCE_S = 300.0
MOST_WAITING = 256
"""Requests that may wait for one backbone."""
STAY_S = 10.0
"""One that was asked so lately makes room for no other, or two that take turns would only load."""
_AGAIN_S = 30.0
"""What could not be loaded is not tried again sooner."""
_COME_AGAIN_S = 5.0
_END_S = 5.0
"""An engine that stops waits so long for the step of a loading that is under way."""
_NICENESS = 10
_NAMES: tuple[TierName, ...] = ("host", "device")

Load = Callable[[str, Callable[[str], None]], ServingStack]
"""Loads the backbone with those weights; the other is called at each step and may end it."""


@dataclass(frozen=True, slots=True)
class Upkeep:
    """How further backbones come and go: `most` are loaded at once, and one goes after `idle_s`.

    `open` lets a new one serve, while `changing` is held, and gives what is to be called before it
    is closed; one that is `kept`, for vPLMs of it are pinned, stays however long nobody asks.
    """

    most: int
    idle_s: float
    load: Load
    open: Callable[[ServingStack], Callable[[], None]]
    kept: Callable[[str], bool]
    name: Callable[[str], str]
    check: Callable[[str], object]
    """Raises what stands in the way if there is no such backbone at all."""
    changing: threading.RLock


@dataclass(slots=True, eq=False)
class _Further:
    """One beside the engine's own: on its way until there is a `stack`."""

    sha256: str
    stack: ServingStack | None = None
    users: int = 0
    waiting: int = 0
    used_at: float = field(default_factory=time.monotonic)
    ended: Future[None] = field(default_factory=Future)
    """Loading has ended, one way or the other."""
    unwatch: Callable[[], None] = lambda: None

    def over(self) -> None:
        """Let those go on that wait; called with the lock held."""
        if not self.ended.done():
            self.ended.set_result(None)


class Stacks:
    """Thread-safe. What is asked of all backbones at once is asked here."""

    def __init__(self, own: ServingStack, upkeep: Upkeep) -> None:
        self.own = own
        """The engine's own."""
        self.patience_s = PATIENCE_S
        self.stay_s = STAY_S
        self._upkeep = upkeep
        self._further: dict[str, _Further] = {}
        self._failed: dict[str, tuple[float, Exception]] = {}
        self._wanted: deque[_Further] = deque()
        self._leaving: deque[_Further] = deque()
        """Whom the keeper is to close."""
        self._ending: list[_Further] = []
        """Whom nobody finds any more, until they are closed."""
        self._gone: dict[TierName, TierCounters] = dict.fromkeys(_NAMES, TierCounters())
        """What the tiers of those had done that are there no more: counts never fall."""
        self._closed = False
        self._changed = threading.Condition()
        self._keeper: threading.Thread | None = None

    @property
    def closed(self) -> bool:
        """The engine is stopping: nothing is loaded any more."""
        return self._closed

    def get(self, sha256: str) -> ServingStack | None:
        """The stack of that backbone, if it is loaded; it may be let go of at any time."""
        if sha256 == self.own.sha256:
            return self.own
        further = self._further.get(sha256)
        return None if further is None else further.stack

    def loading(self, sha256: str) -> bool:
        further = self._further.get(sha256)
        return further is not None and further.stack is None

    def loaded(self) -> list[ServingStack]:
        """The engine's own first."""
        with self._changed:
            further = [each.stack for each in self._further.values()]
        return [self.own, *(stack for stack in further if stack is not None)]

    @asynccontextmanager
    async def asked(self, sha256: str) -> AsyncIterator[ServingStack]:
        """The stack of that backbone, held meanwhile; loaded first if need be.

        NotLoaded if that takes too long or there is no room; HmiError or StoreError if it fails.
        """
        if sha256 == self.own.sha256:
            yield self.own
            return
        deadline = time.monotonic() + self.patience_s
        while isinstance(found := self._enter(sha256, MOST_WAITING), _Further):
            try:
                left = deadline - time.monotonic()
                # Shielded: a client that goes takes nobody else's loading with it.
                await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(found.ended)), left)
            except TimeoutError:
                raise self._late(sha256) from None
            finally:
                self._waited(found)
        try:
            yield found
        finally:
            self._leave(sha256)

    @contextmanager
    def held(self, sha256: str, patience_s: float = JOB_PATIENCE_S) -> Iterator[ServingStack]:
        """As `asked`, but it blocks; a job has more patience."""
        if sha256 == self.own.sha256:
            yield self.own
            return
        deadline = time.monotonic() + patience_s
        while isinstance(found := self._enter(sha256), _Further):
            try:
                found.ended.result(max(0.0, deadline - time.monotonic()))
            except TimeoutError:
                raise self._late(sha256) from None
            finally:
                self._waited(found)
        try:
            yield found
        finally:
            self._leave(sha256)

    def waiting(self) -> int:
        """Texts in the queues of all."""
        return sum(stack.queue.size()[0] for stack in self.loaded())

    def use(self) -> dict[TierName, TierUse]:
        """What the host and device tiers of all hold together, and have done."""
        with self._changed:
            there = [*self._further.values(), *self._ending]
            stacks = [self.own, *(each.stack for each in there if each.stack is not None)]
            uses = [stack.tiers.use() for stack in stacks]
            gone = self._gone
        return {name: _sum([use[name] for use in uses], gone[name]) for name in _NAMES}

    def drop(self, sha256: str) -> None:
        """Let go of a further backbone, if it is loaded. Conflict while it is used or loaded."""
        with self._changed:
            further = self._further.get(sha256)
            if further is None:
                return
            if further.stack is None or further.users:
                what = "is being loaded" if further.stack is None else "is being used"
                raise Conflict(
                    f'Backbone "{self._upkeep.name(sha256)}" {what}.',
                    remedy="Wait until it is not.",
                )
            self._take_out(further)
        self._close(further)

    def stop(self) -> None:
        """Serve nothing any more."""
        self._end()
        with self._changed:
            there = [each for each in self._further.values() if each.stack is not None]
            for each in there:
                self._take_out(each)
        for each in there:
            self._close(each)
        if self._keeper is not None:
            self._keeper.join(_END_S)
        self.own.stop()

    def close(self) -> None:
        """Stop what runs beside serving."""
        self.own.close()

    def refuse_waiting(self) -> None:
        """Nothing more is taken; the batches under way go on."""
        self._end()
        with self._changed:
            further = list(self._further.values())
        for each in further:
            # Threads that end now are no reason to call for help.
            each.unwatch()
            if each.stack is not None:
                each.stack.pipeline.refuse_waiting()
        self.own.pipeline.refuse_waiting()

    def _end(self) -> None:
        """Load nothing any more; who waits for that hears that the engine stops."""
        with self._changed:
            self._closed = True
            for further in self._further.values():
                further.over()
            self._changed.notify_all()

    def _enter(self, sha256: str, most_waiting: int | None = None) -> ServingStack | _Further:
        """Hold it, or wait for it: it is on its way."""
        with self._changed:
            if self._closed:
                raise Unavailable("The engine is stopping.", remedy="Ask again once it is back.")
            further = self._further.get(sha256)
            if further is None:
                further = self._begin(sha256)
            if further.stack is not None:
                further.users += 1
                return further.stack
            if most_waiting is not None and further.waiting >= most_waiting:
                raise self._late(sha256)
            further.waiting += 1
            return further

    def _begin(self, sha256: str) -> _Further:
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
        if len(self._further) >= most:
            self._make_room(name)
        further = self._further[sha256] = _Further(sha256)
        self._wanted.append(further)
        if self._keeper is None:
            self._keeper = threading.Thread(target=self._keep, name="backbones", daemon=True)
            self._keeper.start()
        self._changed.notify_all()
        return further

    def _make_room(self, name: str) -> None:
        """Take out who was asked for longest ago. NotLoaded if all are used or were lately."""
        before = time.monotonic() - self.stay_s
        free = [each for each in self._further.values() if self._free(each, before)]
        if not free:
            raise NotLoaded(
                f'Backbone "{name}" has no room: {len(self._further)} others are loaded beside '
                "the engine's own, and used.",
                retry_after=_COME_AGAIN_S,
                remedy="Ask again in a while, or start the engine with more --further-backbones.",
                code="backbones_full",
            )
        oldest = min(free, key=lambda each: each.used_at)
        self._take_out(oldest)
        self._leaving.append(oldest)

    def _take_out(self, further: _Further) -> None:
        """From now on nobody finds it."""
        del self._further[further.sha256]
        self._ending.append(further)

    def _free(self, further: _Further, before: float) -> bool:
        unused = further.stack is not None and not further.users and further.used_at <= before
        return unused and not self._upkeep.kept(further.sha256)

    def _leave(self, sha256: str) -> None:
        with self._changed:
            further = self._further.get(sha256)
            if further is not None:
                further.users -= 1
                further.used_at = time.monotonic()

    def _waited(self, further: _Further) -> None:
        with self._changed:
            further.waiting -= 1

    def _late(self, sha256: str) -> NotLoaded:
        return NotLoaded(
            f'Backbone "{self._upkeep.name(sha256)}" is being loaded.',
            retry_after=_COME_AGAIN_S,
            remedy=f"Ask again in {_COME_AGAIN_S:.0f} s; hmi backbone ls says when it is there.",
        )

    def _keep(self) -> None:
        """Load and let go, one at a time, after serving."""
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
        while True:
            with self._changed:
                self._retire()
                if not (self._closed or self._leaving or self._wanted):
                    self._changed.wait(min(self._upkeep.idle_s, _COME_AGAIN_S))
                    continue
                leaving = self._leaving.popleft() if self._leaving else None
                if leaving is None and self._closed:
                    return
                wanted = self._wanted.popleft() if leaving is None else None
            # Who leaves first: the newcomer needs the memory.
            if leaving is not None:
                self._close(leaving)
            if wanted is not None:
                self._load(wanted)

    def _retire(self) -> None:
        """Take out who was not asked for long."""
        before = time.monotonic() - self._upkeep.idle_s
        for each in [each for each in self._further.values() if self._free(each, before)]:
            self._take_out(each)
            self._leaving.append(each)

    def _load(self, further: _Further) -> None:
        name = self._upkeep.name(further.sha256)
        began = time.monotonic()
        try:
            stack = self._upkeep.load(further.sha256, self._go_on)
            with self._upkeep.changing:
                further.unwatch = self._upkeep.open(stack)
                with self._changed:
                    further.stack, further.used_at = stack, time.monotonic()
                    self._failed.pop(further.sha256, None)
                    late = self._closed
                    if late:
                        self._take_out(further)
            if late:
                self._close(further)
        except Exception as error:
            with self._changed:
                self._further.pop(further.sha256, None)
                self._failed[further.sha256] = time.monotonic() + _AGAIN_S, _told(name, error)
            if not self._closed:
                log.exception("backbone %s cannot be loaded", name)
        else:
            log.info("backbone %s is loaded after %.1f s", name, time.monotonic() - began)
        with self._changed:
            further.over()

    def _go_on(self, _step: str) -> None:
        if self._closed:
            raise Unavailable("The engine is stopping.", remedy="Ask again once it is back.")

    def _close(self, further: _Further) -> None:
        """Nobody finds it any more, so nobody asks it."""
        stack = further.stack
        assert stack is not None, "what is on its way does not leave"
        further.unwatch()
        stack.stop()
        try:
            stack.save()
        except StoreError as error:
            log.error("what was asked of backbone %s is not written down: %s", stack.sha256, error)
        stack.close()
        with self._changed:
            use = stack.tiers.use()
            self._gone = {name: self._gone[name].and_(use[name].counters) for name in _NAMES}
            self._ending.remove(further)
            further.stack = None
        del stack
        give_back()
        log.info("backbone %s was let go of", self._upkeep.name(further.sha256))


def _told(name: str, error: Exception) -> Exception:
    if isinstance(error, HmiError | StoreError):
        return without_frames(error)
    return Unavailable(
        f'Backbone "{name}" cannot be loaded: {error}.',
        remedy="The engine's log has the details; is there enough memory?",
        code="backbone_missing",
    )


def _sum(uses: list[TierUse], gone: TierCounters) -> TierUse:
    counters = gone
    for use in uses:
        counters = counters.and_(use.counters)
    return TierUse(
        sum(use.resident for use in uses),
        sum(use.bytes for use in uses),
        sum(use.budget for use in uses),
        sum(use.held for use in uses),
        counters,
    )
