"""Who makes a call. The transport says it; one place decides by it (engine.api.access)."""

from __future__ import annotations

from dataclasses import dataclass

ALL_SCOPES = frozenset({"infer", "train", "manage"})


@dataclass(frozen=True, slots=True)
class Caller:
    """The operator (`tenant` None) or a tenant, and how they came in.

    `key` is the id of the API key, empty over the socket, which whoever may open it needs none
    for; `peer` is where the call came from: a process of this machine, or an address.
    """

    tenant: str | None
    key: str
    scopes: frozenset[str]
    peer: str

    @property
    def name(self) -> str:
        return "operator" if self.tenant is None else self.tenant

    @classmethod
    def operator(cls, peer: str) -> Caller:
        """Whoever opened the socket."""
        return cls(None, "", ALL_SCOPES, peer)
