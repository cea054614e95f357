"""What is done to the engine: each act once, as often as it is called, beside all the others."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from engine.client import AsyncClient, HmiError
from engine.schema import Mode, RebuildRequest, VplmBulkCreate, VplmCreate
from tests.benchmarks.turmoil.book import Book, Known, clock
from tests.benchmarks.turmoil.supply import Supply
from tests.benchmarks.turmoil.tally import Tally

MODES: tuple[Mode, ...] = ("plot", "exact")
SPOILT_S = 30.0
"""How long a spoilt file is left to be noticed: memory may serve its adapter meanwhile."""
_HELD_S = 0.05
"""How long somebody who hangs up waits at most."""
_SHARED = 0.15
"""Of the vPLMs are made of another one's adapter."""
_VISITOR = "visitor"
_VISITORS = 8
"""vPLMs that the tenant who comes and goes has."""
_LINES = 100
_POLL_S = 0.1

Dice = random.Random


class Acts:
    """On vPLMs called `names`, of which some are there at any time. `client` may be replaced."""

    def __init__(
        self,
        names: Sequence[str],
        domains: Sequence[str],
        texts: Sequence[str],
        supply: Supply,
        socket: Path,
    ) -> None:
        self.client: AsyncClient
        self.book, self.tally = Book(), Tally()
        self._supply, self._socket = supply, socket
        self._names, self._domains, self._texts = list(names), list(domains), list(texts)
        self._visitors: list[str] = []
        self._busy: set[str] = set()
        self._spoilt = 0

    async def ask(self, dice: Dice) -> None:
        await self.ask_one(dice.choice(self._names + self._visitors), dice)

    async def ask_one(self, model: str, dice: Dice, mode: Mode | None = None) -> str | None:
        """Check what it answers; the code of its error, if it has one."""
        texts = dice.sample(self._texts, dice.choice((1, 1, 1, 3)))
        began = clock()
        try:
            answer = await self.client.classify(model, texts, mode or dice.choice((None, *MODES)))
        except HmiError as error:
            self.tally.errors[error.code] += 1
            fault = self.book.fault_of_error(model, began, clock(), error)
            if fault is not None:
                self.tally.fault(fault)
            return error.code
        ended = clock()
        for row in answer.data:
            self.tally.answers += 1
            fault = self.book.fault_of_answer(model, began, ended, row.label, max(row.probs))
            if fault is not None:
                self.tally.wrong += 1
                self.tally.fault(fault)
        return None

    async def hang_up(self, dice: Dice) -> None:
        """Ask, and close the connection before the answer."""
        body = json.dumps({"model": dice.choice(self._names), "input": dice.choice(self._texts)})
        head = (
            "POST /v1/classify HTTP/1.1\r\nHost: hmi\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        reader, writer = await asyncio.open_unix_connection(self._socket)
        writer.write((head + body).encode())
        answer = asyncio.create_task(reader.read(1))
        done, _ = await asyncio.wait([answer], timeout=dice.uniform(0, _HELD_S))
        self.tally.cancelled += not done
        writer.transport.abort()
        await answer

    async def create(self, dice: Dice) -> None:
        with self._claimed(dice, there=False) as name:
            if name is not None:
                await self._make(name, dice)

    async def delete(self, dice: Dice) -> None:
        with self._claimed(dice, there=True) as name:
            if name is not None:
                await self._end(name)

    async def replace(self, dice: Dice) -> None:
        with self._claimed(dice, there=True) as name:
            if name is not None:
                await self._end(name)
                await self._make(name, dice)

    async def pin(self, dice: Dice) -> None:
        """For a while; now and then the pinned one is deleted instead of unpinned."""
        with self._claimed(dice, there=True) as name:
            if name is None:
                return
            await self.client.change_vplm(name, pin=True)
            await asyncio.sleep(dice.uniform(0, 0.5))
            await self.ask_one(name, dice)
            if dice.random() < 0.3:
                await self._end(name)
            else:
                await self.client.change_vplm(name, pin=False)

    async def move(self, dice: Dice) -> None:
        """To another domain, to the other mode, or to a domain that is then removed."""
        with self._claimed(dice, there=True) as name:
            if name is None:
                return
            domain = dice.choice(self._domains)
            if dice.random() < 0.2:
                await self.client.create_domain("passing", parent=domain)
                await self.client.change_vplm(name, domain="passing")
                await self.ask_one(name, dice, "plot")
                await self.client.remove_domain("passing")
            else:
                await self.client.change_vplm(name, domain=domain, mode=dice.choice(MODES))

    async def bulk(self, dice: Dice) -> None:
        """A tenant comes, gets many vPLMs in one call, and goes with all of them."""
        adapter = self._supply.take()
        if adapter is None:
            return
        await self.client.create_tenant(_VISITOR)
        models = [f"{_VISITOR}/v-{i:05d}" for i in range(1, _VISITORS + 1)]
        lives = self.book.begin(models, adapter)
        self._visitors = models
        request = VplmBulkCreate(
            tenant=_VISITOR,
            name="v",
            count=_VISITORS,
            labels=lives[0].labels,
            adapter=adapter.id,
            domain=dice.choice(self._domains),
        )
        await self.client.create_vplms(request)
        for life in lives:
            life.there = clock()
        await asyncio.gather(*(self.ask_one(model, dice) for model in models))
        for life in lives:
            life.leaving = clock()
        await self.client.remove_tenant(_VISITOR)
        for life in lives:
            life.gone = clock()
        self._visitors = []

    async def rebuild(self, dice: Dice) -> None:
        await self.rebuild_one(dice.choice(self._domains), dice)

    async def rebuild_one(self, domain: str, dice: Dice) -> None:
        """From other lines than before."""
        lines = dice.choices(self._texts, k=_LINES)
        await self.client.put_corpus(domain, "\n".join(lines).encode() + b"\n")
        plan = RebuildRequest(alpha=dice.choice((0.2, 0.5, 0.9)))
        job = await self.client.rebuild_domain(domain, plan)
        while True:
            found = await self.client.job(job.id)
            if found.ended:
                break
            await asyncio.sleep(_POLL_S)
        if found.state != "succeeded":
            self.tally.fault(f"the rebuild of {domain} {found.state}: {found.error}")

    async def look(self, dice: Dice) -> None:
        """At everything that can be looked at."""
        await self.client.status()
        await self.client.vplms(limit=50)
        await self.client.adapters(limit=50)
        await self.client.tenants(limit=50)
        await self.client.ngrams(dice.choice(self._domains), limit=5)
        await self.client.metrics()

    async def spoil(self, dice: Dice) -> None:
        """Damage or remove an adapter's file, see that its vPLM says so, and give it another."""
        with self._claimed(dice, there=True) as name:
            life = name and self.book.current(name)
            if not name or not life or self.book.users(life.adapter) > 1:
                return
            adapter = life.adapter
            if (await self.client.vplm(name)).tier != "disk":
                return
            self._spoilt += 1
            damaged = self._spoilt % 2 == 1
            adapter.error = "damaged" if damaged else "adapter_missing"
            adapter.spoilt = clock()
            if damaged:
                self._supply.damage(adapter)
            else:
                self._supply.remove(adapter)
            until = clock() + SPOILT_S
            while clock() < until:
                if await self.ask_one(name, dice) == adapter.error:
                    self.tally.seconds[f"noticed {adapter.error}"].append(clock() - adapter.spoilt)
                    break
                await asyncio.sleep(dice.uniform(0, 1))
            await self._end(name)
            await self._make(name, dice)

    async def make_all(self, share: float, dice: Dice) -> None:
        """Let `share` of the names live."""
        for name in self._names:
            if dice.random() < share:
                await self._make(name, dice)

    async def ask_all(self, dice: Dice) -> None:
        """Every vPLM that is there, in both modes."""
        for mode in MODES:
            for life in self.book.alive():
                await self.ask_one(life.model, dice, mode)

    async def _make(self, name: str, dice: Dice) -> None:
        with self._claimed(dice, there=True) as donor:
            adapter = self._adapter(donor, dice)
            if adapter is None:
                return
            (life,) = self.book.begin([name], adapter)
            tenant, _, own = name.partition("/")
            request = VplmCreate(
                tenant=tenant,
                name=own,
                labels=life.labels,
                adapter=adapter.id,
                domain=dice.choice(self._domains),
                mode=dice.choice(MODES),
            )
            await self.client.create_vplm(request)
            life.there = clock()

    def _adapter(self, donor: str | None, dice: Dice) -> Known | None:
        """A new one, or now and then that of `donor`, which stays while it is claimed."""
        life = None if donor is None else self.book.current(donor)
        shared = life.adapter if life is not None and not life.adapter.error else None
        if shared is not None and dice.random() < _SHARED:
            return shared
        return self._supply.take() or shared

    async def _end(self, name: str) -> None:
        life = self.book.current(name)
        assert life is not None
        life.leaving = clock()
        await self.client.remove_vplm(name)
        life.gone = clock()

    @contextmanager
    def _claimed(self, dice: Dice, *, there: bool) -> Iterator[str | None]:
        """A name whose vPLM is `there`, or is not, and which no other act changes meanwhile."""
        free = [
            name
            for name in self._names
            if name not in self._busy and (self.book.current(name) is not None) == there
        ]
        name = dice.choice(free) if free else None
        if name is not None:
            self._busy.add(name)
        try:
            yield name
        finally:
            if name is not None:
                self._busy.discard(name)
