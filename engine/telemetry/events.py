"""The event log: a bounded ring that any thread writes to and any number of streams follow."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

from engine.schema import Event


class _Listener:
    """Wakes one stream. Wakes between two looks of the stream are one wake."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._told = False

    def tell(self) -> None:
        if self._told:
            return
        self._told = True
        with suppress(RuntimeError):  # the loop may have ended, and its streams with it
            self._loop.call_soon_threadsafe(self._news.set)

    async def wait(self) -> None:
        await self._news.wait()
        self._news.clear()
        self._told = False


class EventLog:
    """The last `capacity` events. Ids grow by one and go on growing after a restart.

    They begin at the clock's milliseconds, so that an id remembered from an earlier engine is
    below all of this one's, and following from it misses nothing of what is here.
    """

    def __init__(self, capacity: int = 4096, first_id: int | None = None) -> None:
        self._ring: deque[Event] = deque(maxlen=capacity)
        self._first = int(time.time() * 1000) if first_id is None else first_id
        self._next = self._first
        self._lock = threading.Lock()
        self._listeners: set[_Listener] = set()
        self._closed = False

    def emit(self, type: str, data: dict[str, Any]) -> Event:
        """Record an event; from any thread, without waiting for any reader."""
        with self._lock:
            event = Event(id=self._next, type=type, time=time.time(), data=data)
            self._next += 1
            self._ring.append(event)
            self._tell()
        return event

    def since(self, last_id: int) -> list[Event]:
        """The events after `last_id` that are still here, oldest first."""
        with self._lock:
            return self._since(last_id)

    def stream(self, last_id: int | None = None) -> AsyncGenerator[Event, None]:
        """Events after `last_id` (None: from this call on) until the log is closed.

        A reader that fell behind the ring first gets an event of type "engine" whose data is
        {"dropped": how many it missed}.
        """
        with self._lock:
            position = self._next - 1 if last_id is None else max(last_id, self._first - 1)
        return self._follow(position)

    def close(self) -> None:
        """End all streams, after what they have not read yet."""
        with self._lock:
            self._closed = True
            self._tell()

    def _tell(self) -> None:
        for listener in self._listeners:
            listener.tell()

    def _since(self, last_id: int) -> list[Event]:
        fresh = self._next - 1 - last_id
        if fresh <= 0:
            return []
        return list(self._ring)[-fresh:]

    async def _follow(self, position: int) -> AsyncGenerator[Event, None]:
        listener = _Listener()
        with self._lock:
            self._listeners.add(listener)
        try:
            while True:
                with self._lock:
                    events, closed = self._since(position), self._closed
                if events and events[0].id > position + 1:
                    yield _dropped(events[0], events[0].id - position - 1)
                for event in events:
                    yield event
                    position = event.id
                if closed:
                    return
                if not events:
                    await listener.wait()
        finally:
            with self._lock:
                self._listeners.discard(listener)


def _dropped(next_event: Event, count: int) -> Event:
    # Its id is the one before the next event's: resuming from it goes on with that event.
    return Event(id=next_event.id - 1, type="engine", time=next_event.time, data={"dropped": count})
