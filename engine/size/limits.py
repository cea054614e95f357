"""The things that can run out, and how much of each is used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from engine.size.demand import Room
from engine.size.machines import Accelerator, Measured
from engine.size.shapes import ARENA_RANK, BUNDLED
from engine.size.work import Work

ON_DEVICE = ("backbone", "encoder", "adapters, device")
"""What of the memory is an accelerator's, if there is one."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One thing that can run out: `use` of what there is, 1 and above is too much.

    `rises` says whether it grows with the rate.
    """

    name: str
    use: float
    told: str
    remedy: str
    rises: bool
    on_host: bool = False
    """Whether it is time of one of the host's cores."""


def time_limits(
    rate: float, work: Work, host: Measured, machine: Measured | Accelerator
) -> tuple[Limit, ...]:
    """What every text takes of the device, the front end and the host's core."""
    compute, retrieve = work.compute, work.retrieve
    on_cpu = isinstance(machine, Measured)
    found = [
        Limit(
            "compute",
            rate * compute,
            f"{1 / compute:,.0f} texts/s{' on one thread' if on_cpu else ''}",
            "a faster device, more threads, fewer tokens a text, or larger tables (less to miss)",
            rises=True,
            on_host=on_cpu,
        ),
        Limit(
            "front end",
            rate * host.api_request_s,
            f"{1 / host.api_request_s:,.0f} requests/s through one process",
            "several texts a request, or a second engine beside this one",
            rises=True,
            on_host=True,
        ),
    ]
    if retrieve:
        told = f"{1 / retrieve:,.0f} texts/s on one core"
        remedy = "a faster host core"
        found.append(Limit("retrieve", rate * retrieve, told, remedy, rises=True, on_host=True))
    return tuple(found)


def swap_limits(
    copied: float,
    read: float,
    slot: int,
    disk_each: int,
    machine: Measured | Accelerator,
    host: Measured,
) -> tuple[Limit, ...]:
    """Either takes in proportion to its bytes what it takes for the bundled backbone."""
    scale = disk_each / BUNDLED.adapter_disk_bytes(ARENA_RANK, 4)
    reading = host.adapter_load_s * scale
    if isinstance(machine, Measured):
        copying = (
            machine.adapter_copy_s * slot / BUNDLED.slot_bytes(ARENA_RANK, machine.float_bytes)
        )
    else:
        copying = slot / (machine.link_bytes_per_s * machine.link_share)
    return (
        Limit(
            "reading from disk",
            read * reading,
            f"{1 / reading:,.0f} adapters/s",
            "a larger --host-cache, or adapters of a lower rank",
            rises=True,
            on_host=True,
        ),
        Limit(
            "copying into slots",
            copied * copying,
            f"{1 / copying:,.0f} adapters/s",
            "a larger --device-cache",
            rises=True,
            on_host=isinstance(machine, Measured),
        ),
    )


def cores_limit(limits: Iterable[Limit], cores: int) -> Limit:
    """All that takes the host's time, on all of its cores together."""
    busy = sum(limit.use for limit in limits if limit.on_host)
    told = f"{cores} cores, {busy:.2f} of them busy"
    return Limit("host cores", busy / cores, told, "more cores", rises=True)


def space_limits(
    memory: Mapping[str, int], disk: int, room: Room, machine: Measured | Accelerator
) -> tuple[Limit, ...]:
    """`memory` is bytes by what holds them; with an accelerator some of it is the device's."""
    own = isinstance(machine, Accelerator)
    host = sum(held for name, held in memory.items() if not (own and name in ON_DEVICE))
    less = "more memory, a smaller --host-cache or fewer --entries"
    found = [
        _space("memory", host, room.memory, less),
        _space("disk", disk, room.disk, "a larger disk, or adapters of a lower rank"),
    ]
    if isinstance(machine, Accelerator):
        held = sum(memory[name] for name in ON_DEVICE)
        less = "a smaller --device-cache, or a device with more memory"
        found.append(_space("device memory", held, machine.memory_bytes, less))
    return tuple(found)


def _space(name: str, held: int, there: int, remedy: str) -> Limit:
    gib = f"{held / (1 << 30):,.1f} of {there / (1 << 30):,.1f} GiB"
    return Limit(name, held / there, gib, remedy, rises=False)
