"""Around every request: its id, the wait for readiness, and the last catch for errors."""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.api import problems
from engine.errors import Unavailable
from engine.logs import request_id as log_context

HEADER = "X-Request-Id"
_SANE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ALWAYS = ("/v1/version", "/v1/stop")
"""Calls that need nothing of the appliance."""

log = logging.getLogger("engine.api")


class Gate:
    """`reasons` says why the engine is not ready; an empty list opens the /v1 routes."""

    def __init__(self, app: ASGIApp, reasons: Callable[[], list[str]]) -> None:
        self._app = app
        self._reasons = reasons

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope["state"]["request"] = request_id
        started = False

        async def send_with_id(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        told = log_context.set(request_id)
        try:
            self._check_ready(scope["path"])
            await self._app(scope, receive, send_with_id)
        except ClientDisconnect:
            log.info("%s %s: the client went away", scope["method"], scope["path"])
        except Exception as error:
            if not isinstance(error, Unavailable):
                log.exception(
                    "%s %s failed (request %s)", scope["method"], scope["path"], request_id
                )
            if started:
                raise
            await problems.response(error)(scope, receive, send_with_id)
        finally:
            log_context.reset(told)

    def _check_ready(self, path: str) -> None:
        if not path.startswith("/v1") or path in _ALWAYS:
            return
        if reasons := self._reasons():
            raise Unavailable(
                f"The engine is not ready: {', '.join(reasons)}.",
                remedy="Wait until /readyz answers 200.",
                code="not_ready",
            )


def _request_id(scope: Scope) -> str:
    given = Headers(scope=scope).get(HEADER, "")
    return given if _SANE.fullmatch(given) else uuid.uuid4().hex
