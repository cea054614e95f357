"""Who holds how much of the engine's memory."""

from __future__ import annotations

import torch

from engine.appliance.core import Core
from engine.appliance.stack import Stack
from engine.schema import DeviceStatus


def memory_of(core: Core) -> dict[str, int]:
    """Bytes by owner, as far as the engine knows."""
    owners = _of(core.stack)
    if core.generators is not None:
        cache = core.generators.generator.use().cache_used
        owners["generators"] = cache + sum(_of(core.generators.stack).values())
    if core.backbone.device.type == "cuda":
        owners["device, all"] = int(torch.cuda.memory_allocated(core.backbone.device))
    return owners


def device_memory_of(core: Core, sample: DeviceStatus) -> dict[str, int]:
    """Bytes of a CUDA device by owner; `sample` is what NVML says of all processes and of ours."""
    device = core.backbone.device
    # What torch keeps for itself between two batches is what their activations needed.
    reserved = int(torch.cuda.memory_reserved(device))
    owners = {
        "backbone": core.backbone.bytes,
        "encoders": sum(hplm.nbytes for hplm in core.tree.hplms()),
        "adapter slots": core.tiers.arena.nbytes,
    }
    owners["activations"] = max(0, reserved - sum(owners.values()))
    own = max(reserved, sample.engine_bytes or 0)
    owners["CUDA context"] = own - reserved
    if sample.used_bytes is not None:
        owners["other processes"] = max(0, sample.used_bytes - own)
    return {owner: held for owner, held in owners.items() if held}


def _of(stack: Stack) -> dict[str, int]:
    known = stack.tree.all()
    return {
        "backbone": stack.backbone.bytes,
        "encoders": sum(hplm.nbytes for hplm in stack.tree.hplms()),
        "table indexes": sum(knowledge.view.index_bytes for knowledge in known),
        "traffic counts": sum(each.view.hits.nbytes + each.traffic.nbytes for each in known),
        "row cache": stack.row_cache.use().bytes,
        "host cache": stack.tiers.use()["host"].bytes,
        "adapter slots": stack.tiers.arena.nbytes,
    }
