"""`hmi bench load`: the reference load of CONTRACT section 5 on an engine of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from engine.bench.about import about_run
from engine.bench.document import Document
from engine.bench.ending import throwaway_folder
from engine.bench.newcomers import arriving, render_newcomers
from engine.bench.own_engine import OwnEngine, own_engine, run_load
from engine.bench.population import (
    Created,
    Population,
    Say,
    build_domains,
    create_vplms,
    label_names,
    write_texts,
)
from engine.bench.sources import Sources
from engine.bench.table import number, table


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """`rate` in requests a second for `duration` seconds; then, with `find_ms`, the search."""

    population: Population = field(default_factory=Population)
    rate: float = 167.0
    duration: float = 600.0
    slo_ms: float = 500.0
    find_ms: float | None = None
    step: float = 30.0
    popularity: str = "uniform"
    host_cache: int = 2 << 30
    device_cache: int = 256 << 20
    serve: tuple[str, ...] = ()
    """Further flags of `hmi serve`."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Served:
    """What the engine took for the load: cores' worth of CPU, and memory at the end."""

    cores: float
    resident_bytes: int


def run_reference(plan: LoadPlan, sources: Sources, threads: int, say: Say) -> tuple[Document, str]:
    """Create, restart, load, and search if asked; everything is gone afterwards."""
    flags = (
        *("--host-cache", str(plan.host_cache), "--device-cache", str(plan.device_cache)),
        *("--threads", str(threads), *plan.serve),
    )
    with throwaway_folder() as folder:
        texts = folder / "texts.txt"
        write_texts(sources, texts)
        home = folder / "h"
        say("starting an engine in a throw-away home")
        with own_engine(home, flags) as engine:
            domains = build_domains(engine.client, sources, say)
            created = create_vplms(engine.client, plan.population, domains, say)
        say(f"{created.vplms:,} vPLMs in {created.seconds:.1f} s; starting the engine again")
        with own_engine(home, flags) as engine:
            say(f"ready after {engine.started_s:.1f} s")
            people, labels = plan.population, label_names(plan.population.labels)
            with arriving(engine.paths, labels, domains[0], people.rank) as newcomers:
                report, served = _loaded(engine, plan, texts)
            tiers = {n: t.model_dump() for n, t in engine.client.status().tiers.items()}
            curve = _searched(engine, plan, texts)
            started = engine.started_s
    about = about_run(threads=threads, seed=plan.seed)
    results: dict[str, Any] = {
        "created": asdict(created),
        "restart_s": started,
        "load": report,
        "engine": asdict(served),
        "newcomers": newcomers.document(),
        "tiers": tiers,
        "find": curve,
    }
    return Document("load", about, asdict(plan), results), render_reference(results)


def _loaded(engine: OwnEngine, plan: LoadPlan, texts: Path) -> tuple[dict[str, Any], Served]:
    before = engine.consumed()
    told = run_load(
        engine.paths,
        [
            *_traffic(plan, texts),
            *("--duration", str(plan.duration), "--slo-ms", str(plan.slo_ms)),
        ],
    )
    after, report = engine.consumed(), dict(json.loads(told))
    return report, Served((after.cpu_s - before.cpu_s) / report["seconds"], after.resident_bytes)


def _searched(engine: OwnEngine, plan: LoadPlan, texts: Path) -> dict[str, Any] | None:
    if plan.find_ms is None:
        return None
    flags = [*_traffic(plan, texts), "--find", str(plan.find_ms), "--step", str(plan.step)]
    return dict(json.loads(run_load(engine.paths, flags)))


def _traffic(plan: LoadPlan, texts: Path) -> list[str]:
    return [
        *("--text", str(texts), "--rate", str(plan.rate), "--seed", str(plan.seed)),
        *("--popularity", plan.popularity, "--tenants", str(plan.population.tenants), "--json"),
    ]


def render_reference(results: dict[str, Any]) -> str:
    """Creation, the load and, if there was one, the search."""
    parts = [_facts(results), _stages(results["load"])]
    if results["find"] is not None:
        parts.append(_curve(results["find"]))
    return "\n\n".join(parts)


def _facts(results: dict[str, Any]) -> str:
    rows = list(_fact_rows(results))
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {told}" for name, told in rows)


def _fact_rows(results: dict[str, Any]) -> Iterator[tuple[str, str]]:
    created, load, engine = Created(**results["created"]), results["load"], results["engine"]
    first, last = created.tenths[0], created.tenths[-1]
    yield "created", f"{created.vplms:,} vPLMs in {created.seconds:.1f} s"
    yield "  first and last tenth", f"{first:.1f} s and {last:.1f} s"
    yield "  on disk", f"{created.bytes / (1 << 30):.2f} GiB"
    yield "restart", f"ready after {results['restart_s']:.1f} s"
    yield "sent", f"{load['sent']:,} ({load['offered_per_s']:.1f} a second)"
    yield "answered", f"{load['answered']:,} ({load['answered_per_s']:.1f} a second)"
    yield "errors", ", ".join(f"{code} {n}" for code, n in load["errors"].items()) or "none"
    good = load["goodput"]
    if good is not None:
        yield f"within {good['slo_s'] * 1e3:.0f} ms", f"{good['share']:.2%}"
    if load["fairness"] is not None:
        yield "Jain index of tokens", f"{load['fairness']['tokens']:.4f}"
    for name, turn in load["tier_use"].items():
        asked = turn["hits"] + turn["misses"]
        share = turn["hits"] / asked if asked else 0.0
        moved = turn["bytes_moved"] / (1 << 20)
        yield f"{name} tier", f"{share:.1%} hits, {turn['resident']} resident, {moved:,.0f} MiB in"
    yield "new vPLMs meanwhile", render_newcomers(results["newcomers"])
    yield "engine", f"{engine['cores']:.2f} cores, {engine['resident_bytes'] / (1 << 30):.2f} GiB"
    yield "simulator", f"{load['sender_cpu_s'] / max(1, load['sent']) * 1e3:.2f} s for 1,000"


def _stages(load: dict[str, Any]) -> str:
    found = {"end to end": load["latency_s"], **(load["stage_s"] or {})}
    heads = ("MS", ">P50", ">P90", ">P99", ">P99.9")
    rows = [
        (name, *(number(value * 1e3, 1) for value in of.values()))
        for name, of in found.items()
        if of is not None
    ]
    return table(heads, rows)


def _curve(curve: dict[str, Any]) -> str:
    rows = [
        (
            f"{point['rate']:.0f}",
            number(point["answered_per_s"], 1),
            *(number(None if s is None else s * 1e3, 1) for s in (point["p50_s"], point["p99_s"])),
            str(point["failed"]),
            "yes" if point["holds"] else "no",
        )
        for point in curve["points"]
    ]
    heads = (">RATE", ">ANSWERED/S", ">P50 MS", ">P99 MS", ">FAILED", "HOLDS")
    best = "no rate" if curve["rate"] is None else f"{curve['rate']:.0f} requests a second"
    return f"{table(heads, rows)}\n\np99 within {curve['limit_s'] * 1e3:.0f} ms up to: {best}"
