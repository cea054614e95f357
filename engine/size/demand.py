"""What is asked of the appliance, and the room that it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.errors import BadInput
from engine.size.residency import Popularity
from engine.size.shapes import ARENA_RANK

Mode = Literal["plot", "exact"]


@dataclass(frozen=True, slots=True)
class Demand:
    """What is asked: `rate` texts a second over `vplms` vPLMs of `tenants`, of `tokens` each, of
    which the share `hits` needs no row computed. `entries` are those of all tables together."""

    tenants: int
    vplms: int
    rate: float
    tokens: float = 24.0
    hits: float = 0.5
    rank: int = 64
    labels: int = 4
    popularity: Popularity = "uniform"
    zipf_s: float = 1.1
    entries: int = 500_000
    mode: Mode = "plot"


@dataclass(frozen=True, slots=True)
class Room:
    """What there is, memory and caches in bytes; the caches are as `hmi serve` takes them."""

    memory: int
    disk: int
    cores: int
    host_cache: int = 2 << 30
    device_cache: int = 256 << 20
    table_cache: int = 512 << 20


def check(demand: Demand) -> None:
    """BadInput for what no engine could be asked."""
    if demand.rank > ARENA_RANK:
        raise BadInput(
            f"Slots take adapters up to rank {ARENA_RANK}, not {demand.rank}.",
            remedy=f"Give --rank {ARENA_RANK} or less.",
        )
    if demand.tenants > demand.vplms:
        raise BadInput(
            f"{demand.tenants:,} tenants have {demand.vplms:,} vPLMs among them.",
            remedy="Give --vplms the number of all tenants' vPLMs together.",
        )
