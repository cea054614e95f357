"""The engine while nobody asks: that it has come to rest, and what it holds on to."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import psutil

from engine.client import AsyncClient, Paths
from engine.schema import Status

MORE_DESCRIPTORS = 8
MORE_THREADS = 4
MORE_MEMORY = 0.05
"""What descriptors, threads and resident memory may have grown by from the end of the warm-up to
the end; memory is a share, unless the plan allows more."""
REST_S = 30.0
_VOLLEY = 100
_CALL = b"GET /v1/adapters?limit=100 HTTP/1.1\r\nHost: hmi\r\nConnection: close\r\n\r\n"
"""It takes long enough that the others find its thread busy."""
_POLL_S = 0.05
_STILL = 10


@dataclass(frozen=True, slots=True)
class Rest:
    """`at` is in seconds since the beginning, `resident` in bytes."""

    at: float
    descriptors: int
    threads: int
    resident: int

    def words(self) -> str:
        mib = self.resident / (1 << 20)
        return f"{self.descriptors} descriptors, {self.threads} threads, {mib:.0f} MiB resident"


async def come_to_rest(paths: Paths) -> tuple[Status, list[str]]:
    """The status once nothing waits or is held, and what still was REST_S later."""
    deadline = time.monotonic() + REST_S
    async with AsyncClient(paths=paths) as client:
        while time.monotonic() < deadline:
            if not restless(await client.status()):
                break
            await asyncio.sleep(_POLL_S)
        # How many threads answer calls, each with files of its own, is chance: let it be all.
        await _volley(paths)
        status = await client.status()
    return status, restless(status)


async def _volley(paths: Paths) -> None:
    """Many calls at once, faster than a client makes them."""
    lines = [await asyncio.open_unix_connection(paths.socket) for _ in range(_VOLLEY)]
    for _, writer in lines:
        writer.write(_CALL)
    await asyncio.gather(*(reader.read(-1) for reader, _ in lines))
    for _, writer in lines:
        writer.close()


def restless(status: Status) -> list[str]:
    """What keeps the engine from being at rest, and what there is too much of."""
    found = {
        f"{status.queue.depth} texts wait": status.queue.depth,
        f"{len(status.jobs)} jobs run": len(status.jobs),
    }
    for name in ("host", "device"):
        tier = status.tiers[name]
        found[f"{tier.held} adapters are held in the {name} tier"] = tier.held
        found[f"{tier.waiting} loads wait for the {name} tier"] = tier.waiting
        over = tier.bytes - (tier.budget_bytes or 0)
        found[f"the {name} tier is {over} bytes over its budget"] = max(0, over)
    return [words for words, number in found.items() if number]


async def look_at(process: psutil.Process, at: float) -> Rest:
    """Once the descriptors of connections that were closed are gone."""
    seen: list[int] = []
    while len(seen) < 2 * _STILL or len(set(seen[-_STILL:])) > 1:
        seen.append(process.num_fds())
        if len(seen) > 20 * _STILL:
            break
        await asyncio.sleep(_POLL_S)
    return Rest(at, min(seen), process.num_threads(), process.memory_info().rss)


def growth(warm: Rest, end: Rest, least_more_memory: int) -> list[str]:
    """What was not flat; so many bytes more are nothing."""
    faults = []
    if end.descriptors > warm.descriptors + MORE_DESCRIPTORS:
        faults.append(f"descriptors grew from {warm.descriptors} to {end.descriptors}")
    if end.threads > warm.threads + MORE_THREADS:
        faults.append(f"threads grew from {warm.threads} to {end.threads}")
    more = max(least_more_memory, MORE_MEMORY * warm.resident)
    if end.resident > warm.resident + more:
        grown = (end.resident - warm.resident) / (1 << 20)
        faults.append(
            f"resident memory grew by {grown:.0f} MiB from {warm.resident >> 20}; "
            f"{more / (1 << 20):.0f} are allowed"
        )
    return faults
