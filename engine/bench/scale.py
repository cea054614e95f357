"""`hmi bench scale`: many vPLMs, and fewer and fewer slots for those that are asked."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine.bench.about import about_run
from engine.bench.cliff import Cell, Registered, draw_cliff, render_scale
from engine.bench.document import Document, write_document
from engine.bench.ending import throwaway_folder
from engine.bench.own_engine import own_engine, run_load
from engine.bench.population import Created, Population, Say, create_vplms, write_texts
from engine.bench.sources import Sources
from engine.client import Client, Paths
from engine.load.plan import choose

PAGE = 1000
EACH = 10
"""vPLMs of a tenant."""


@dataclass(frozen=True, slots=True)
class ScalePlan:
    """`counts` vPLMs are registered, growing; then `asked` of them at most, the working set, are
    asked by `clients` for `seconds`, with slots for `shares` of it."""

    counts: tuple[int, ...] = (100, 1000, 10_000)
    shares: tuple[float, ...] = (0.05, 0.2, 0.5, 1.0)
    popularities: tuple[str, ...] = ("uniform", "zipf")
    asked: int = 1000
    clients: int = 64
    seconds: float = 15.0
    rank: int = 64
    host_cache: int = 2 << 30
    serve: tuple[str, ...] = ()
    seed: int = 0


def run_scale(
    plan: ScalePlan, sources: Sources, threads: int, out: Path | None, say: Say
) -> tuple[Document, str, str]:
    """The results as a document, a table and a picture; `out` has the runs that are done."""
    about = about_run(threads=threads, seed=plan.seed)
    registered: list[Registered] = []
    cells: list[Cell] = []

    def document() -> Document:
        results: dict[str, Any] = {
            "registered": [asdict(one) for one in registered],
            "cells": [asdict(cell) for cell in cells],
        }
        return Document("scale", about, asdict(plan), results)

    with throwaway_folder() as folder:
        texts, home = folder / "texts.txt", folder / "h"
        write_texts(sources, texts)
        ground = _Ground(plan, home, texts, threads, say)
        for count in sorted(plan.counts):
            done = registered[-1].vplms if registered else 0
            made, slot = ground.register(done, count)
            registered.append(Registered(count, made.vplms, made.seconds, made.bytes))
            for cell in ground.measure(count, slot):
                cells.append(cell)
                if out is not None:
                    write_document(document(), out)
    return document(), render_scale(registered, cells), draw_cliff(cells)


@dataclass(frozen=True, slots=True)
class _Ground:
    plan: ScalePlan
    home: Path
    texts: Path
    threads: int
    say: Say

    def register(self, there: int, count: int) -> tuple[Created, int]:
        """Add vPLMs until there are `count`; and the bytes of one device slot."""
        first, last = math.ceil(there / EACH), math.ceil(count / EACH)
        population = Population(last, EACH, self.plan.rank)
        with own_engine(self.home, self._flags(1)) as engine:
            created = create_vplms(engine.client, population, ["general"], self.say, first)
            self.say(f"{count:,} vPLMs registered; {created.seconds:.1f} s for the last of them")
            return created, _slot_bytes(engine.client)

    def measure(self, count: int, slot: int) -> Iterator[Cell]:
        asked = min(count, self.plan.asked)
        for share in self.plan.shares:
            slots = max(1, round(share * asked))
            with own_engine(self.home, self._flags(slots * slot)) as engine:
                # Filling the slots is no part of what is measured.
                ask_each(engine.client, asked, self.plan.clients)
                for popularity in self.plan.popularities:
                    told = self._load(engine.paths, asked, popularity)
                    cell = _cell(told, count, share, slots, popularity)
                    self.say(
                        f"{count:,} vPLMs, {slots} slots for {asked}, {popularity}: "
                        f"{cell.answered_per_s:.1f} a second"
                    )
                    yield cell

    def _flags(self, device_cache: int) -> list[str]:
        plan = self.plan
        return [
            *("--device-cache", str(device_cache), "--host-cache", str(plan.host_cache)),
            *("--threads", str(self.threads), *plan.serve),
        ]

    def _load(self, paths: Paths, asked: int, popularity: str) -> dict[str, Any]:
        plan = self.plan
        flags = [
            *("--text", str(self.texts), "--seed", str(plan.seed), "--vplms", str(asked)),
            *("--clients", str(plan.clients), "--popularity", popularity),
            *("--duration", str(plan.seconds), "--json"),
        ]
        return dict(json.loads(run_load(paths, flags)))


def _cell(told: dict[str, Any], count: int, share: float, slots: int, popularity: str) -> Cell:
    latency, turn = told["latency_s"], told["tier_use"].get("device")
    asked = turn["hits"] + turn["misses"] if turn else 0
    return Cell(
        vplms=count,
        working_set=told["vplms"],
        share=share,
        slots=slots,
        popularity=popularity,
        answered_per_s=told["answered_per_s"],
        p50_s=latency["p50"] if latency else None,
        p99_s=latency["p99"] if latency else None,
        device_hits=turn["hits"] / asked if asked else None,
        failed=sum(told["errors"].values()),
    )


def ask_each(client: Client, count: int, at_once: int) -> None:
    """Ask each of the `count` vPLMs that `hmi load --vplms` asks, once."""
    ids: list[str] = []
    cursor: str | None = None
    while not ids or cursor is not None:
        page = client.vplms(limit=PAGE, cursor=cursor)
        ids += [vplm.id for vplm in page.data]
        cursor = page.next_cursor
    with ThreadPoolExecutor(min(at_once, 16), thread_name_prefix="asker") as pool:
        for _ in pool.map(lambda one: client.classify(one, "a text"), choose(ids, None, count)):
            pass


def _slot_bytes(client: Client) -> int:
    """What one adapter takes on the device, as the engine itself counts."""
    client.classify(client.vplms(limit=1).data[0].id, "which fills one slot")
    device = client.status().tiers["device"]
    return math.ceil(device.bytes / device.resident)
