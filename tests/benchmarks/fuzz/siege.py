"""Sends hostile calls, many at once, and tells what came back."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from tests.benchmarks.fuzz.hostile import HostileCall

PATIENCE_S = 60.0
"""Whatever takes longer has hung: slow lines are cut off after ten seconds."""
PAUSE_S = 0.5
"""So long a line is left open for the answer to what may be no whole request."""
MOST = 4096
"""Bytes of an answer that are looked at."""
DRIP_S = 1.0
CUT_S = 30.0
"""By then a slow line has been cut off."""


@dataclass(slots=True)
class Verdict:
    """What came of a siege. `wrong` shows the first few answers that must not be."""

    calls: int = 0
    by_kind: Counter[str] = field(default_factory=Counter)
    by_status: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def __add__(self, later: Verdict) -> Verdict:
        return Verdict(
            self.calls + later.calls,
            self.by_kind + later.by_kind,
            self.by_status + later.by_status,
            self.wrong + later.wrong,
        )

    def note(self, call: HostileCall, answer: bytes | None) -> None:
        """`answer` is all that was said, None if the line was neither answered nor shut."""
        self.calls += 1
        self.by_kind[call.kind] += 1
        told = "hung" if answer is None else _status(answer)
        self.by_status[told] += 1
        # 503 is declared; whatever else begins with 5 is a failure of the engine.
        failed = told in ("hung", "no HTTP") or (told.startswith("5") and told != "503")
        failed = failed or (call.good and told != "200")
        if failed and len(self.wrong) < 20:
            self.wrong.append(
                f"{call.kind}: {call.sent[:300]!r} -> {told}: {(answer or b'')[:300]!r}"
            )


def _status(answer: bytes) -> str:
    if not answer:
        return "hung up"
    if not answer.startswith(b"HTTP/1.1 "):
        return "no HTTP"
    # A line that was let in first may be told to go on.
    if answer.startswith(b"HTTP/1.1 100 "):
        return _status(answer.partition(b"\r\n\r\n")[2])
    return answer[9:12].decode("ascii", "replace")


def _is_stream(answer: bytes) -> bool:
    return b"\r\ncontent-type: text/event-stream" in answer.partition(b"\r\n\r\n")[0].lower()


async def besiege(
    host: str, port: int, calls: Iterator[HostileCall], count: int, at_once: int = 16
) -> Verdict:
    """`count` of the calls, each on a line of its own."""
    verdict, left = Verdict(), count

    async def one_after_the_other() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            call = next(calls)
            ask = _asked if call.drips is None else _dripped
            verdict.note(call, await ask(host, port, call))

    await asyncio.gather(*(one_after_the_other() for _ in range(at_once)))
    return verdict


async def _dripped(host: str, port: int, call: HostileCall) -> bytes | None:
    """Byte after byte, until it is answered or cut off."""
    reader, writer = await asyncio.open_connection(host, port)
    heard = asyncio.ensure_future(reader.read())
    try:
        async with asyncio.timeout(CUT_S):
            writer.write(call.sent[: call.drips])
            for byte in call.sent[call.drips :]:
                await asyncio.wait({heard}, timeout=DRIP_S)
                if heard.done():
                    break
                writer.write(bytes([byte]))
            with suppress(OSError):
                return await heard
            return b""
    except TimeoutError:
        return None
    finally:
        heard.cancel()
        writer.transport.abort()


async def _asked(host: str, port: int, call: HostileCall) -> bytes | None:
    reader, writer = await asyncio.open_connection(host, port)
    answer = b""
    try:
        async with asyncio.timeout(PATIENCE_S):
            # It may be hung up on at any moment.
            with suppress(OSError):
                writer.write(call.sent)
                await writer.drain()
                try:
                    async with asyncio.timeout(None if call.whole else PAUSE_S):
                        answer = await reader.read(MOST)
                except TimeoutError:
                    # It waits for more, and there is none.
                    writer.write_eof()
                # Events are told for as long as somebody listens.
                while not _is_stream(answer) and (more := await reader.read(1 << 16)):
                    answer += more[: max(0, MOST - len(answer))]
    except TimeoutError:
        return None
    finally:
        writer.transport.abort()
    return answer
