"""One run against an engine: who is asked, by whom, and what comes of it."""

from __future__ import annotations

import asyncio
import contextlib
import math
import resource
import signal
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TextIO

from engine.client import AsyncClient, HmiError, LeanClient, NotFound, Paths
from engine.load.live import follow_orders, tell_live
from engine.load.plan import Profile, choose, plan, tenant_of
from engine.load.progress import tell
from engine.load.report import Asked, Report, summarise
from engine.load.simulator import DRAIN_S, Simulator
from engine.load.tiers import TierTurn, used_between
from engine.schema import Tier, TierStatus

PAGE = 1000


@dataclass(frozen=True, slots=True)
class Site:
    """The engine at `paths`, the vPLMs that are asked and what is said to them.

    Progress goes to `out`; a `live` run tells it on stdout instead and follows stdin's orders.
    """

    paths: Paths
    models: Sequence[str]
    texts: Sequence[str]
    out: TextIO
    live: bool = False

    @property
    def tenants(self) -> int:
        return len({tenant_of(model) for model in self.models})

    async def run(
        self,
        profile: Profile,
        slo_s: float | None = None,
        begun: Callable[[], None] = lambda: None,
        drain: float = DRAIN_S,
    ) -> Report:
        """Put `profile` on it; SIGINT and SIGTERM end it early, with a report, once `begun` has
        been called."""
        _allow_many_connections()
        hot = profile.hot.tenant if profile.hot else None
        async with LeanClient(self.paths) as lean, AsyncClient(paths=self.paths) as client:
            before = (await client.status()).tiers
            simulator = Simulator(lean, self.models)
            with _stopped_by_signals(simulator):
                begun()
                await self._send(simulator, profile, drain)
            tiers = await _tiers_since(client, before)
        asked = Asked(self.models, slo_s, hot)
        return summarise(
            simulator.ledger,
            asked,
            simulator.sending,
            simulator.cpu,
            tiers,
            ended_early=simulator.stopped,
        )

    async def _send(self, simulator: Simulator, profile: Profile, drain: float) -> None:
        # The rate of a live run may change, and with it when its plan would end.
        until = profile.duration if self.live else None
        made = replace(profile, duration=None) if self.live else profile
        planned = plan(made, self.models, self.texts)
        if self.live:
            follow_orders(simulator, profile.rate, self._complain)
        progress = asyncio.create_task(self._tell(simulator, profile.rate))
        try:
            if profile.clients is None:
                await simulator.run(planned, drain, until or math.inf)
            else:
                await simulator.run_clients(planned, profile.clients, profile.duration, drain)
        finally:
            progress.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await progress

    def _tell(self, simulator: Simulator, rate: float) -> Coroutine[Any, Any, None]:
        return tell_live(simulator, rate) if self.live else tell(simulator, self.out)

    def _complain(self, text: str) -> None:
        self.out.write(f"{text}\n")
        self.out.flush()


async def find_site(
    paths: Paths,
    texts: Sequence[str],
    tenants: int | None,
    vplms: int | None,
    hot: str | None,
    out: TextIO,
    live: bool = False,
) -> Site:
    """The vPLMs to ask. NotFound if there is none, or none of the hot tenant's."""
    async with AsyncClient(paths=paths) as client:
        models = choose(await _all_models(client), tenants, vplms)
    if not models:
        raise NotFound("There is no vPLM to ask.", remedy="Make some with hmi vplm create.")
    if hot is not None and hot not in {tenant_of(model) for model in models}:
        raise NotFound(
            f'None of the vPLMs that are asked is of tenant "{hot}".',
            remedy="hmi vplm ls shows whose they are; --tenants and --vplms leave some out.",
        )
    return Site(paths, models, texts, out, live)


async def _all_models(client: AsyncClient) -> list[str]:
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = await client.vplms(limit=PAGE, cursor=cursor)
        found += [vplm.id for vplm in page.data if vplm.kind == "classifier"]
        cursor = page.next_cursor
        if cursor is None:
            return found


async def _tiers_since(
    client: AsyncClient, before: Mapping[Tier, TierStatus]
) -> dict[str, TierTurn]:
    """Nothing is known when the engine has gone meanwhile."""
    with contextlib.suppress(HmiError):
        return used_between(before, (await client.status()).tiers)
    return {}


@contextmanager
def _stopped_by_signals(simulator: Simulator) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)
    for signum in signals:
        loop.add_signal_handler(signum, simulator.stop)
    try:
        yield
    finally:
        for signum in signals:
            loop.remove_signal_handler(signum)


def _allow_many_connections() -> None:
    """An open loop needs a socket a request in flight; the usual soft limit is 1024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
