"""Who holds how much of the engine's memory."""

from __future__ import annotations

import torch

from engine.appliance.core import Core
from engine.schema import DeviceStatus


def memory_of(core: Core) -> dict[str, int]:
    """Bytes by owner, as far as the engine knows; of a further backbone all in one."""
    owners = core.stack.memory()
    for stack in core.stacks.loaded()[1:]:
        owners[_owner(core, stack.sha256)] = sum(stack.memory().values())
    if core.device.type == "cuda":
        owners["device, all"] = int(torch.cuda.memory_allocated(core.device))
    return owners


def device_memory_of(core: Core, sample: DeviceStatus) -> dict[str, int]:
    """Bytes of a CUDA device by owner; `sample` is what NVML says of all processes and of ours."""
    # What torch keeps for itself between two batches is what their activations needed.
    reserved = int(torch.cuda.memory_reserved(core.device))
    owners = core.stack.device_memory()
    for stack in core.stacks.loaded()[1:]:
        owners[_owner(core, stack.sha256)] = sum(stack.device_memory().values())
    owners["activations"] = max(0, reserved - sum(owners.values()))
    own = max(reserved, sample.engine_bytes or 0)
    owners["CUDA context"] = own - reserved
    if sample.used_bytes is not None:
        owners["other processes"] = max(0, sample.used_bytes - own)
    return {owner: held for owner, held in owners.items() if held}


def _owner(core: Core, sha256: str) -> str:
    return f"backbone {core.name_of(sha256)}"
