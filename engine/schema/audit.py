"""The audit log: who did what to which thing, and when."""

from __future__ import annotations

from typing import Literal

from engine.schema.base import Answer


class AuditEntry(Answer):
    """One call that changed something, or was to."""

    id: int
    """Counted from 1 on; none is left out."""
    at: float
    caller: str
    """`operator`, or the tenant whose key it was."""
    key: str
    """The id of that key; empty over the socket."""
    peer: str
    """Where from: a user and process of this machine, or an address."""
    action: str
    """The route's name, such as `create_vplm`."""
    method: str
    path: str
    """Of the thing."""
    asked: str
    """The call's JSON body, cut short if it is long; empty for uploads."""
    status: int
    """What came of it; 500 also where the engine failed."""
    request: str
    """The request's id, which is in the engine's log and was sent back to the client."""


class AuditPage(Answer):
    """The newest first."""

    object: Literal["list"] = "list"
    data: list[AuditEntry]
    next_cursor: str | None = None
