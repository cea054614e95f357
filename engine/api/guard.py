"""Before any route: who calls, and whether they may. Nothing of a body is read until then."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from starlette.datastructures import Headers
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from engine.api import problems
from engine.api.access import Access, access_to, changes, check
from engine.api.audited import AuditedCall
from engine.api.port import Port
from engine.caller import Caller
from engine.errors import HmiError, Unauthorized
from engine.telemetry.audit import AuditLog
from store.errors import StoreError

OPEN_PATHS = ("/livez", "/readyz")
"""What a load balancer asks without a key."""
_BEARER = re.compile(r"[Bb]earer +([!-~]{1,256})")


def caller_of(scope: Scope) -> Caller | None:
    """Who makes the call; None if nobody has been told apart."""
    found: Caller | None = scope["state"].get("caller")
    return found


class Identify:
    """Names the caller of each request: as the socket's transport did already, or by its API key.

    Over TCP nothing but OPEN_PATHS goes on without a key that opens something. No answer of it
    depends on what there is, so it tells nothing of that.
    """

    def __init__(self, app: ASGIApp, appliance: Port) -> None:
        self._app = app
        self._appliance = appliance

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or "caller" in scope["state"]:
            await self._app(scope, receive, send)
            return
        if scope["path"] not in OPEN_PATHS:
            caller = self._holder(scope)
            if caller is None:
                await problems.response(Unauthorized())(scope, receive, send)
                return
            scope["state"]["caller"] = caller
        await self._app(scope, receive, send)

    def _holder(self, scope: Scope) -> Caller | None:
        given = Headers(scope=scope).getlist("authorization")
        # Two are a trick, or a mistake: which of them is meant is not ours to guess.
        found = _BEARER.fullmatch(given[0].strip()) if len(given) == 1 else None
        return None if found is None else self._appliance.caller(found[1], _address(scope))


@dataclass(frozen=True, slots=True)
class RouteTable:
    """The routes, to find a request's before it is taken in."""

    routes: tuple[Route, ...]

    @classmethod
    def of(cls, routes: Iterable[BaseRoute]) -> RouteTable:
        return cls(tuple(route for route in routes if isinstance(route, Route)))

    def name(self, scope: Scope) -> str | None:
        """Of the route that will answer; None if none will."""
        near: str | None = None
        for route in self.routes:
            match route.matches(scope)[0]:
                case Match.FULL:
                    return str(route.name)
                case Match.PARTIAL:
                    # Right but for its method; another may fit better.
                    near = near or str(route.name)
        return near


class Guard:
    """Lets through to the routes who may use them; the others get a problem document. What is to
    change something is written down, whatever comes of it."""

    def __init__(
        self, app: ASGIApp, routes: Sequence[BaseRoute], appliance: Port, audit: AuditLog
    ) -> None:
        self._app = app
        self._routes = RouteTable.of(routes)
        self._appliance = appliance
        self._audit = audit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        route, caller = self._routes.name(scope), caller_of(scope)
        access = access_to(route)
        if caller is not None and route is not None and changes(access, scope["method"]):
            call = AuditedCall(self._audit, caller, route, scope)
            await call.watch(partial(self._enter, access, caller), receive, send)
        else:
            await self._enter(access, caller, scope, receive, send)

    async def _enter(
        self, access: Access, caller: Caller | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        try:
            check(access, caller)
            if caller is not None and caller.tenant is not None and access.scope != "infer":
                # Of what asks a vPLM the appliance keeps count itself.
                self._appliance.count_call(caller.tenant)
        except (HmiError, StoreError) as error:
            await problems.response(error)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return "" if client is None else f"{client[0]}:{client[1]}"
