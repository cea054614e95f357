"""The run: rounds of turmoil on an engine of its own, and a rest after each to see what is left."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from engine.bench.ending import throwaway_folder
from engine.bench.own_engine import STOP_S, OwnEngine, own_engine
from engine.bench.sources import open_sources
from engine.client import AsyncClient, HmiError
from engine.schema import Status
from tests.benchmarks.turmoil.acts import Acts, Dice
from tests.benchmarks.turmoil.awake import Awake
from tests.benchmarks.turmoil.book import clock
from tests.benchmarks.turmoil.rest import REST_S, Rest, come_to_rest, growth, look_at
from tests.benchmarks.turmoil.supply import Supply
from tests.benchmarks.turmoil.tally import Tally

DEADLINE_S = 60.0
"""For one act; longer is taken for a deadlock."""
_PATIENCE_S = 3600.0
"""The client's own; DEADLINE_S comes first."""
_TELL_S = 10.0
_WARM = 0.4
"""The share of the time that is over before descriptors, threads and memory are compared."""
_ROUND_S = 30.0
DOMAINS = ("general", "news", "reviews")
_THERE = 0.8
"""Of the names have a vPLM at the beginning."""
_CHURN = 12.0
"""Adapters that a second of a round takes, about, from the stock."""
_SPARE = 40
_ALARMS = ("Traceback", " ERROR ", " CRITICAL ")


@dataclass(frozen=True, slots=True)
class Plan:
    """`tenants` with `each` vPLMs, asked by `askers` at once. Caches are in bytes; `serve` are
    further flags of `hmi serve` and `checkpoint` is their --backbone. So many bytes as
    `least_more_memory` may be added after the warm-up whatever the share."""

    minutes: float = 5.0
    tenants: int = 40
    each: int = 6
    askers: int = 16
    device_cache: int = 8 << 20
    host_cache: int = 2 << 20
    table_cache: int = 16 << 20
    least_more_memory: int = 32 << 20
    serve: tuple[str, ...] = ()
    checkpoint: Path | None = None
    seed: int = 0

    @property
    def flags(self) -> list[str]:
        caches = {
            "--device-cache": self.device_cache,
            "--host-cache": self.host_cache,
            "--table-cache": self.table_cache,
        }
        return [*(str(word) for pair in caches.items() for word in pair), *self.serve]


@dataclass(frozen=True, slots=True)
class Outcome:
    """`rests` are before the first round and after each; the second one is the warm one."""

    tally: Tally
    rests: list[Rest]
    status: Status
    least_more_memory: int


Say = Callable[[str], None]
Act = Callable[[Dice], Coroutine[Any, Any, None]]


def run_turmoil(plan: Plan, say: Say) -> Outcome:
    """Everything that should not have happened is in the tally's faults."""
    with throwaway_folder() as folder:
        home = folder / "h"
        with own_engine(home, plan.flags) as engine:
            say(f"ready after {engine.started_s:.1f} s")
            supply = Supply(engine.paths, plan.checkpoint, plan.seed)
            run = _Run(plan, engine, supply, say)
            asyncio.run(run.all())
            run.end()
        return Outcome(run.acts.tally, run.rests, run.status, plan.least_more_memory)


class _Run:
    def __init__(self, plan: Plan, engine: OwnEngine, supply: Supply, say: Say) -> None:
        self._plan, self._engine, self._supply, self._say = plan, engine, supply, say
        sources = open_sources(None, (), {})
        texts = [text for name in sources.datasets for text, _ in sources.dataset(name).test]
        self._tenants = [f"t-{t:02d}" for t in range(plan.tenants)]
        names = [f"{tenant}/m-{m}" for tenant in self._tenants for m in range(plan.each)]
        self.acts = Acts(names, DOMAINS, texts, supply, engine.paths.socket)
        self.rests: list[Rest] = []
        self.status: Status
        self._began, self._until = clock(), 0.0
        self._awake = Awake()

    async def all(self) -> None:
        plan = self._plan
        dice = Dice(plan.seed)
        beside = [asyncio.create_task(each) for each in (self._awake.tick(), self._tell())]
        self._supply.stock(plan.tenants * plan.each)
        async with self._talking() as client:
            await self._furnish(client, dice)
        self.rests.append(await self._rest())
        for number, length in enumerate(_rounds(60 * plan.minutes)):
            self._supply.stock(_SPARE + math.ceil(_CHURN * length))
            async with self._talking():
                await self._round(length, f"{plan.seed} {number}")
            self.rests.append(await self._rest())
        for fault in growth(self.rests[1], self.rests[-1], self._plan.least_more_memory):
            self.acts.tally.fault(fault)
        async with self._talking():
            await self.acts.ask_all(dice)
        for task in beside:
            task.cancel()
        kept = len({life.adapter.id for life in self.acts.book.alive()}) + self._supply.left
        there = self.status.tiers["disk"].resident
        if there != kept:
            self.acts.tally.fault(f"{there} adapters are in the store, not {kept}")

    def end(self) -> None:
        """Stop the engine; what it leaves behind must fit together."""
        tally = self.acts.tally
        self._engine.client.stop()
        try:
            code = self._engine.process.wait(STOP_S)
        except psutil.TimeoutExpired:
            tally.fault(f"the engine had not ended {STOP_S:.0f} s after it was told to")
            return
        if code:
            tally.fault(f"the engine ended with code {code}")
        log = self._engine.paths.log.read_text(errors="replace")
        for line in log.splitlines():
            if any(sign in line for sign in _ALARMS):
                tally.fault(f"the engine's log: {line}")
        for stray in self._supply.strays():
            tally.fault(f"adapter {stray} is on disk or in the catalogue, but not in both")

    async def _furnish(self, client: AsyncClient, dice: Dice) -> None:
        for tenant in self._tenants:
            await client.create_tenant(tenant)
        for domain in DOMAINS[1:]:
            await client.create_domain(domain)
            await self.acts.rebuild_one(domain, dice)
        await self.acts.make_all(_THERE, dice)

    async def _round(self, seconds: float, seed: str) -> None:
        self._until = self._awake.seconds + seconds
        async with asyncio.TaskGroup() as group:
            for act, workers, every in self._crew():
                for worker in range(workers):
                    dice = Dice(f"{seed} {act.__name__} {worker}")
                    group.create_task(self._again(act, every, dice))

    def _crew(self) -> list[tuple[Act, int, float]]:
        """Who acts, how many at once, and how many seconds each rests between two on average."""
        acts = self.acts
        return [
            (acts.ask, self._plan.askers, 0.0),
            (acts.hang_up, 2, 0.05),
            (acts.create, 2, 0.3),
            (acts.delete, 1, 0.3),
            (acts.replace, 2, 0.3),
            (acts.pin, 2, 0.2),
            (acts.move, 1, 0.3),
            (acts.bulk, 1, 1.0),
            (acts.rebuild, 1, 3.0),
            (acts.look, 1, 0.5),
            (acts.spoil, 1, 0.5),
        ]

    async def _again(self, act: Act, every: float, dice: Dice) -> None:
        tally, name = self.acts.tally, act.__name__.replace("_", " ")
        while self._awake.seconds < self._until:
            began = clock()
            try:
                async with self._awake.at_most(DEADLINE_S):
                    await act(dice)
            except TimeoutError:
                tally.fault(f"{name} took longer than {DEADLINE_S:.0f} s")
            except HmiError as error:
                tally.fault(f"{name} failed with {error.code}: {error}")
            tally.seconds[name].append(clock() - began)
            await asyncio.sleep(dice.uniform(0, 2 * every))

    async def _rest(self) -> Rest:
        self.status, faults = await come_to_rest(self._engine.paths)
        for fault in faults:
            self.acts.tally.fault(f"{REST_S:.0f} s after a round {fault}")
        rest = await look_at(self._engine.process, clock() - self._began)
        self._say(f"  at rest: {rest.words()}")
        return rest

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(_TELL_S)
            self._say(f"{clock() - self._began:4.0f} s  {self.acts.tally.line()}")

    @asynccontextmanager
    async def _talking(self) -> AsyncIterator[AsyncClient]:
        """Connections that end with the round, so that the engine is seen without them."""
        async with AsyncClient(paths=self._engine.paths, timeout=_PATIENCE_S) as client:
            self.acts.client = client
            yield client


def _rounds(seconds: float) -> list[float]:
    """The lengths of the warm-up and of the rounds after it, at least two."""
    rest = seconds * (1 - _WARM)
    count = max(2, math.ceil(rest / _ROUND_S))
    return [seconds - rest, *[rest / count] * count]
