"""Who holds how much of the engine's memory."""

from __future__ import annotations

import torch

from engine.appliance.core import Core


def memory_of(core: Core) -> dict[str, int]:
    """Bytes by owner, as far as the engine knows."""
    known = core.tree.all()
    use = core.tiers.use()
    owners = {
        "backbone": core.backbone.bytes,
        "encoders": sum(hplm.nbytes for hplm in core.tree.hplms()),
        "table indexes": sum(knowledge.view.index_bytes for knowledge in known),
        "traffic counts": sum(each.view.hits.nbytes + each.traffic.nbytes for each in known),
        "row cache": core.row_cache.use().bytes,
        "host cache": use["host"].bytes,
        "adapter slots": core.tiers.arena.nbytes,
    }
    if core.backbone.device.type == "cuda":
        owners["device, all"] = int(torch.cuda.memory_allocated(core.backbone.device))
    return owners
