"""One call that is to change something, written down before its answer is sent."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from engine.caller import Caller
from engine.schema import AuditEntry
from engine.telemetry.audit import AuditLog

MAX_ASKED = 2048
"""Bytes of a call's JSON that are kept: what is longer is a list of labels."""
_FAILED = 500

Enter = Callable[[Scope, Receive, Send], Awaitable[None]]


class AuditedCall:
    """Looks on while a call is answered, and enters it in the log under its first status."""

    def __init__(self, audit: AuditLog, caller: Caller, route: str, scope: Scope) -> None:
        self._audit, self._caller, self._route, self._scope = audit, caller, route, scope
        kind = Headers(scope=scope).get("content-type", "")
        self._readable = kind.partition(";")[0].strip().lower() == "application/json"
        self._asked = b""
        self._entered = False

    async def watch(self, enter: Enter, receive: Receive, send: Send) -> None:
        async def receive_and_keep() -> Message:
            message = await receive()
            if self._readable and len(self._asked) < MAX_ASKED:
                self._asked += message.get("body", b"")[:MAX_ASKED]
            return message

        async def send_once_entered(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._enter(message["status"])
            await send(message)

        try:
            await enter(self._scope, receive_and_keep, send_once_entered)
        except Exception:
            self._enter(_FAILED)
            raise

    def _enter(self, status: int) -> None:
        if self._entered:
            return
        self._entered = True
        scope, caller = self._scope, self._caller
        self._audit.add(
            AuditEntry(
                id=0,
                at=time.time(),
                caller=caller.name,
                key=caller.key,
                peer=caller.peer,
                action=self._route,
                method=scope["method"],
                path=_printable(scope["path"]),
                asked=_printable(self._asked[:MAX_ASKED].decode(errors="replace")),
                status=status,
                request=scope["state"]["request"],
            )
        )


def _printable(text: str) -> str:
    """For a terminal: nothing in it may steer one."""
    return "".join(each if each.isprintable() else "�" for each in text[:MAX_ASKED])
