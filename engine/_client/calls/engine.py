"""Calls about the engine itself: its state, its telemetry, its end."""

from __future__ import annotations

import json

from engine._client.ask import Asks, Follows
from engine._client.call import Call, Stream, nothing, query, reader
from engine.schema import Event, Slot, SlotMap, SpanFeed, Status, Trace, Version


class EngineCalls:
    @Asks
    @staticmethod
    def livez() -> Call[bool]:
        """Whether an engine answers; False if none runs."""
        return Call("GET", "/livez", lambda _: True, unanswered=False)

    @Asks
    @staticmethod
    def readyz() -> Call[tuple[bool, list[str]]]:
        """Whether it can serve, and if not, why not."""
        return Call("GET", "/readyz", _readiness, accept=(503,))

    @Asks
    @staticmethod
    def version() -> Call[Version]:
        return Call("GET", "/v1/version", reader(Version))

    @Asks
    @staticmethod
    def status() -> Call[Status]:
        """Device, host, tiers, queue, rates, domains and jobs at this moment."""
        return Call("GET", "/v1/status", reader(Status))

    @Asks
    @staticmethod
    def metrics() -> Call[str]:
        """The Prometheus exposition."""
        return Call("GET", "/metrics", bytes.decode)

    @Asks
    @staticmethod
    def trace(seconds: float = 30.0) -> Call[Trace]:
        """What worked when in the last `seconds`, for ui.perfetto.dev; only over the socket."""
        return Call("GET", "/v1/trace", reader(Trace), query(seconds=seconds))

    @Asks
    @staticmethod
    def spans(after: int | None = None, limit: int = 1024) -> Call[SpanFeed]:
        """The newest spans, or those that are new since a feed whose `last` was `after`."""
        return Call("GET", "/v1/spans", reader(SpanFeed), query(after=after, limit=limit))

    @Asks
    @staticmethod
    def slots(first: int = 1, limit: int = 1024) -> Call[SlotMap]:
        """What is in the device's slots from `first` on, by heat; at most 4,096 at once."""
        return Call("GET", "/v1/slots", reader(SlotMap), query(first=first, limit=limit))

    @Asks
    @staticmethod
    def slot(number: int) -> Call[Slot]:
        """What is in one slot, and whose it is. NotFound."""
        return Call("GET", f"/v1/slots/{number}", reader(Slot))

    @Asks
    @staticmethod
    def stop() -> Call[None]:
        """Ask the engine to end cleanly; only over the socket."""
        return Call("POST", "/v1/stop", nothing)

    @Follows
    @staticmethod
    def events(last_id: int | None = None) -> Stream[Event]:
        """Events after `last_id` (from now on if None), until the engine ends."""
        return Stream("/v1/events", Event.model_validate_json, last_id)


def _readiness(body: bytes) -> tuple[bool, list[str]]:
    answer = json.loads(body)
    return bool(answer["ready"]), [str(reason) for reason in answer["reasons"]]
