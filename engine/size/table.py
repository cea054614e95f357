"""An estimate for people: what it needs, what is moved, what gives first, and what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from engine.size.demand import Demand, Room
from engine.size.estimate import Estimate
from engine.size.machines import Accelerator, Measured
from engine.size.shapes import Shape


def render(
    demand: Demand,
    shape: Shape,
    found: Estimate,
    machine: Measured | Accelerator,
    host: Measured,
) -> str:
    """Several paragraphs, a thing a line."""
    asked = (
        f"{demand.vplms:,} vPLMs of {demand.tenants:,} tenants, {demand.rate:,g} texts/s "
        f"({demand.popularity}), {demand.tokens:g} tokens a text, {_lower(demand)}; "
        f"{shape.name}, {shape.split} of {shape.layers} layers from tables, rank {demand.rank}"
    )
    parts = (_memory(found), _tiers(found), _limits(found), _verdict(found), _basis(machine, host))
    return "\n\n".join((asked, *("\n".join(part) for part in parts)))


def document(
    demand: Demand,
    room: Room,
    shape: Shape,
    found: Estimate,
    machine: Measured | Accelerator,
    host: Measured,
) -> dict[str, Any]:
    """The same as JSON values: bytes, seconds, shares of 1."""
    return {
        "demand": asdict(demand),
        "room": asdict(room),
        "backbone": asdict(shape),
        **asdict(found),
        "binding": found.binding.name,
        "holds": found.holds,
        "coefficients": {
            "device": asdict(machine) | {"kind": _kind(machine)},
            "host": asdict(host) | {"kind": "measured"},
        },
    }


def _lower(demand: Demand) -> str:
    return "exact mode" if demand.mode == "exact" else f"{demand.hits:.0%} of rows there"


def _memory(found: Estimate) -> Iterator[str]:
    yield "MEMORY"
    for name, held in found.memory.items():
        yield f"  {name:<20}{_bytes(held):>12}"


def _tiers(found: Estimate) -> Iterator[str]:
    yield "ADAPTERS              HELD       BYTES   FINDS"
    for tier in found.tiers:
        yield f"  {tier.name:<12}{tier.holds:>12,}{_bytes(tier.bytes):>12}{tier.finds:>8.1%}"
    for name, words in (("disk", "read from disk"), ("slots", "copied into slots")):
        moved = _bytes(found.swap_bytes_per_s[name])
        yield f"  {words:<18}{found.swap_per_s[name]:>10,.1f}/s, {moved}/s"


def _limits(found: Estimate) -> Iterator[str]:
    yield "LIMITS                 USED  OF"
    for limit in sorted(found.limits, key=lambda one: -one.use):
        yield f"  {limit.name:<18}{limit.use:>7.1%}  {limit.told}"


def _verdict(found: Estimate) -> Iterator[str]:
    first = found.binding
    state = "It holds" if found.holds else "It does not hold"
    yield f"{state}: {first.name} comes first, at {first.use:.0%}. What helps: {first.remedy}."
    yield f"All else as it is, time runs out at {found.highest_rate:,.0f} texts/s."


def _basis(machine: Measured | Accelerator, host: Measured) -> Iterator[str]:
    yield f"measured      {host.source}"
    if isinstance(machine, Accelerator):
        shares = (
            f"{machine.flops_share:.0%} of its arithmetic, {machine.memory_share:.0%} of its "
            f"memory's and {machine.link_share:.0%} of its link's speed"
        )
        yield f"extrapolated  compute and copies: {machine.source}; assumed: {shares}"
    yield "extrapolated  other backbones, ranks and lengths by their arithmetic and bytes;"
    yield "              residency by Che's approximation of LRU; waiting is not modelled"


def _kind(machine: Measured | Accelerator) -> str:
    return "measured" if isinstance(machine, Measured) else "data sheet"


def _bytes(count: float) -> str:
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:,.1f} {unit}"
        value /= 1024
    return f"{value:,.1f} TiB"
