"""Seconds that a text takes where: in floating-point operations, scaled from what was measured."""

from __future__ import annotations

from dataclasses import dataclass

from engine.size.demand import Demand
from engine.size.machines import Accelerator, Measured
from engine.size.shapes import ARENA_RANK, BUNDLED, PLACES, Shape

BATCH = 32
"""Texts of a batch, each of another vPLM: the case that the figures are measured for."""
_MEASURED_TOKENS = 24
_BF16 = 2


@dataclass(frozen=True, slots=True)
class Work:
    """Seconds a text: `compute` on the device, `retrieve` on the host's cores (0 on a CPU, where
    the same core does both and it is all in `compute`)."""

    compute: float
    retrieve: float


def text_work(
    shape: Shape, demand: Demand, machine: Measured | Accelerator, host: Measured
) -> Work:
    """Of one of the texts asked; `host` is the CPU that feeds an accelerator."""
    if isinstance(machine, Measured):
        return Work(_on_cpu(shape, demand, machine), 0.0)
    retrieve = demand.tokens * host.lookup_token_s if demand.mode == "plot" else 0.0
    return Work(_on_device(shape, demand, machine), retrieve)


def exact_flops(shape: Shape, rank: int, tokens: float) -> float:
    """Of one token in a text of `tokens`, through all layers."""
    return shape.layers * _layer(shape, tokens) + shape.upper * _adapters(shape, rank)


def upper_flops(shape: Shape, rank: int, tokens: float) -> float:
    """Of one token in a text of `tokens`: bridge, upper layers and their adapters."""
    halved = 2 * shape.hidden * shape.intermediate
    bridge = _layer(shape, tokens) - halved
    return bridge + shape.upper * (_layer(shape, tokens) + _adapters(shape, rank))


def miss_flops(shape: Shape) -> float:
    """Of one row: output projection and halved feed-forward; the rest is remembered by token."""
    h, i = shape.hidden, shape.intermediate
    return float(2 * h * h + 2 * h * i)


def _layer(shape: Shape, tokens: float) -> float:
    h, i = shape.hidden, shape.intermediate
    return 2 * (4 * h * h + 2 * h * i) + 4 * tokens * h


def _adapters(shape: Shape, rank: int) -> float:
    return PLACES * 4 * shape.hidden * rank


def _on_cpu(shape: Shape, demand: Demand, machine: Measured) -> float:
    """What was measured, each part by how much more arithmetic or bytes it is here."""
    rank, tokens = demand.rank, demand.tokens
    here, there = (shape, rank, tokens), (BUNDLED, ARENA_RANK, _MEASURED_TOKENS)
    if demand.mode == "exact":
        return tokens * machine.exact_token_s * exact_flops(*here) / exact_flops(*there)
    upper = machine.upper_token_s * upper_flops(*here) / upper_flops(*there)
    lookup = machine.lookup_token_s * shape.row_bytes / BUNDLED.row_bytes
    miss = machine.miss_token_s * miss_flops(shape) / miss_flops(BUNDLED)
    return tokens * (upper + lookup + (1 - demand.hits) * miss)


def _on_device(shape: Shape, demand: Demand, machine: Accelerator) -> float:
    """A batch's arithmetic, or its reading if that takes longer, and the launches of its kernels:
    gathering slots reads them, writes them and reads them again."""
    rank, tokens, exact = demand.rank, demand.tokens, demand.mode == "exact"
    layers = shape.layers if exact else shape.upper + 2
    if exact:
        flops = exact_flops(shape, rank, tokens)
    else:
        flops = upper_flops(shape, rank, tokens) + (1 - demand.hits) * miss_flops(shape)
    arithmetic = BATCH * tokens * flops / (machine.flops * machine.flops_share)
    weights = shape.parameters * min(layers, shape.layers) / shape.layers * _BF16
    read = weights + 3 * BATCH * shape.slot_bytes(rank, _BF16)
    reading = read / (machine.memory_bytes_per_s * machine.memory_share)
    launches = layers * machine.kernels_per_layer * machine.launch_s
    return (max(arithmetic, reading) + launches) / BATCH
