"""Who holds how much of the engine's memory."""

from __future__ import annotations

import torch

from engine.appliance.core import Core
from engine.appliance.made_for import name_of
from engine.appliance.stack import Stack
from engine.schema import DeviceStatus


def memory_of(core: Core) -> dict[str, int]:
    """Bytes by owner, as far as the engine knows; of a further backbone all in one."""
    owners = owners_of(core.stack)
    for stack in core.backbones.loaded()[1:]:
        owners[_owner(core, stack.sha256)] = sum(owners_of(stack).values())
    if core.generators is not None:
        cache = core.generators.generator.use().cache_used
        owners["generators"] = cache + sum(owners_of(core.generators.stack).values())
    if core.device.type == "cuda":
        owners["device, all"] = int(torch.cuda.memory_allocated(core.device))
    return owners


def device_memory_of(core: Core, sample: DeviceStatus) -> dict[str, int]:
    """Bytes of a CUDA device by owner; `sample` is what NVML says of all processes and of ours."""
    # What torch keeps for itself between two batches is what their activations needed.
    reserved = int(torch.cuda.memory_reserved(core.device))
    owners = _on_device(core.stack)
    for stack in core.backbones.loaded()[1:]:
        owners[_owner(core, stack.sha256)] = sum(_on_device(stack).values())
    owners["activations"] = max(0, reserved - sum(owners.values()))
    own = max(reserved, sample.engine_bytes or 0)
    owners["CUDA context"] = own - reserved
    if sample.used_bytes is not None:
        owners["other processes"] = max(0, sample.used_bytes - own)
    return {owner: held for owner, held in owners.items() if held}


def owners_of(stack: Stack) -> dict[str, int]:
    """Bytes of all that is in memory for one backbone, by what it is."""
    known, use = stack.tree.all(), stack.tiers.use()
    return {
        "backbone": stack.backbone.bytes,
        "encoders": sum(hplm.nbytes for hplm in stack.tree.hplms()),
        "table indexes": sum(knowledge.view.index_bytes for knowledge in known),
        "traffic counts": sum(each.view.hits.nbytes + each.traffic.nbytes for each in known),
        "row cache": stack.row_cache.use().bytes,
        "host cache": use["host"].bytes,
        "adapter slots": stack.tiers.arena.nbytes,
    }


def _on_device(stack: Stack) -> dict[str, int]:
    owners = owners_of(stack)
    return {owner: owners[owner] for owner in ("backbone", "encoders", "adapter slots")}


def _owner(core: Core, sha256: str) -> str:
    return f"backbone {name_of(core, sha256)}"
