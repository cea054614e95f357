"""What a load takes of each thing that can run out, and which runs out first."""

from __future__ import annotations

from dataclasses import dataclass

from engine.size.demand import Demand, Room, check
from engine.size.limits import Limit, cores_limit, space_limits, swap_limits, time_limits
from engine.size.machines import Accelerator, Measured
from engine.size.residency import hit_share
from engine.size.shapes import Shape
from engine.size.work import text_work

TENANT_BYTES, VPLM_BYTES = 600, 1200
"""Of the catalogue, with its indexes."""
PROCESS_BYTES = 450 << 20
"""Of Python, torch and the engine's code, before any weight."""
_FLOAT, _BF16 = 4, 2


@dataclass(frozen=True, slots=True)
class Tier:
    """`holds` adapters of `places`; `finds` is the share of texts whose adapter it has."""

    name: str
    bytes: int
    holds: int
    finds: float


@dataclass(frozen=True, slots=True)
class Estimate:
    memory: dict[str, int]
    """Bytes by what holds them; on a CPU device and host are one memory."""
    tiers: tuple[Tier, ...]
    swap_per_s: dict[str, float]
    """Adapters a second that are read from disk, and that are copied into slots."""
    swap_bytes_per_s: dict[str, float]
    text_s: float
    """Of the device, for one text."""
    limits: tuple[Limit, ...]
    highest_rate: float
    """Texts a second at which the first of the limits that grow with the rate is reached."""

    @property
    def binding(self) -> Limit:
        """The limit that is used most."""
        return max(self.limits, key=lambda limit: limit.use)

    @property
    def holds(self) -> bool:
        return self.binding.use <= 1


def estimate(
    demand: Demand, room: Room, shape: Shape, machine: Measured | Accelerator, host: Measured
) -> Estimate:
    """BadInput if the demand is none. `host` is the CPU that feeds an accelerator; for a CPU it is
    the machine itself."""
    check(demand)
    size = machine.float_bytes if isinstance(machine, Measured) else _BF16
    slot = shape.slot_bytes(demand.rank, size)
    disk_each = shape.adapter_disk_bytes(demand.rank, demand.labels)
    host_each = shape.adapter_host_bytes(demand.rank, demand.labels)
    slots, kept = max(1, room.device_cache // slot), room.host_cache // host_each
    on_device = hit_share(demand.vplms, slots, demand.popularity, demand.zipf_s)
    in_host = hit_share(demand.vplms, kept, demand.popularity, demand.zipf_s)
    resident = min(slots, demand.vplms)
    tiers = (
        Tier("device", slots * slot, resident, on_device),
        Tier("host", min(kept, demand.vplms) * host_each, min(kept, demand.vplms), in_host),
        Tier("disk", demand.vplms * disk_each, demand.vplms, 1.0),
    )
    copied = demand.rate * (1 - on_device)
    # What device and host keep is the latest of the same stream, so the larger has the smaller's.
    read = demand.rate * (1 - max(on_device, in_host))
    work = text_work(shape, demand, machine, host)
    memory = _memory(demand, room, shape, tiers, size)
    disk = tiers[2].bytes + demand.entries * shape.entry_disk_bytes + memory["catalogue"]
    times = time_limits(demand.rate, work, host, machine)
    swaps = swap_limits(copied, read, slot, disk_each, machine, host)
    limits = (
        *times,
        *swaps,
        cores_limit((*times, *swaps), room.cores),
        *space_limits(memory, disk, room, machine),
    )
    rising = max(limit.use for limit in limits if limit.rises)
    return Estimate(
        memory=memory,
        tiers=tiers,
        swap_per_s={"disk": read, "slots": copied},
        swap_bytes_per_s={"disk": read * disk_each, "slots": copied * slot},
        text_s=work.compute,
        limits=limits,
        highest_rate=demand.rate / rising,
    )


def _memory(
    demand: Demand, room: Room, shape: Shape, tiers: tuple[Tier, ...], size: int
) -> dict[str, int]:
    return {
        "backbone": shape.parameters * size,
        "encoder": shape.encoder_parameters * _FLOAT,
        "tables": demand.entries * shape.entry_memory_bytes,
        "row cache": room.table_cache,
        "adapters, device": tiers[0].bytes,
        "adapters, host": tiers[1].bytes,
        "catalogue": demand.tenants * TENANT_BYTES + demand.vplms * VPLM_BYTES,
        "process": PROCESS_BYTES,
    }
